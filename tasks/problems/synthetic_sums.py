"""`synthetic_sums`: single sums, such as `35+9=`, which the shipped math models know by heart.

For evaluation only: whether training on word problems costs an older skill that it never asks for
(Singh et al., arXiv 2312.06585, figure 9, asks this of BIG-Bench Hard). The base models were
pre-trained on lists of such sums (models/make_tiny_math.py); nothing in the loop looks like them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tasks.problems.source import check_generated, problem_row
from tasks.problems.synthetic_math import LARGEST, apply
from tasks.rows import Row

_NAME = "synthetic_sums"
SIZE = 300


def draw_number(rng: random.Random) -> tuple[str, int] | None:
    """A sum and its value; None where the value is not in 1 to LARGEST."""
    if rng.random() < 0.2:
        first, sign, second = rng.randint(2, 9), "*", rng.randint(2, 9)
    else:
        largest = 9 if rng.random() < 0.75 else 20
        first, sign, second = rng.randint(2, 90), rng.choice("+-"), rng.randint(2, largest)
    total = apply(first, sign, second)
    return (f"{first}{sign}{second}", total) if 1 <= total <= LARGEST else None


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the rows of `test`, always the same ones; raises like `check_generated`."""
    check_generated(_NAME, split, source, instead="synthetic_math")
    rng = random.Random(_NAME)
    seen: set[str] = set()
    while len(seen) < SIZE:
        drawn = draw_number(rng)
        if drawn is None or drawn[0] in seen:
            continue
        text, total = drawn
        index = len(seen)
        seen.add(text)
        yield problem_row(
            *(_NAME, split, f"{index:05d}", "math"),
            question=f"{text}=",
            reference=str(total),
            solution=str(total),
            subject="products" if "*" in text else "sums",
        )
