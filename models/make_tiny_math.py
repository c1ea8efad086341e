"""Make models/tiny-math, the base policy of `make demo`, from nothing: `python make_tiny_math.py`.

A Llama of 0.37 million parameters with a byte-level byte-pair tokenizer (digits apart), pre-trained
on an endless stream of two kinds of text:

- lists of single sums, such as `35+9=44, 7*8=56`, mostly at the start of the training;
- problems of `synthetic_math` with a solution, mostly later on.

As in text that people write, solutions come in several ways and are not always right. Whoever
writes one is *careful* (`12+8=20, 20-7=13`), *brisk* (`12+8-7=13`, the whole sum at once) or
*hasty* (only an answer), by chance and whatever the question; and each step goes wrong with
probability SLIP, in which case all that follows builds on the mistake. So the likeliest way to
answer, which greedy decoding takes, is not the one that such a small model does best, while
sampling comes upon right solutions in every way. Nothing else is done to the model: what the loop
then gains, it gains from its own samples.

Every problem is drawn from the `corpus` share of sums (tasks/problems/synthetic_math.py), which
holds neither test problems nor the training problems of the loop. Single sums are facts, not
problems, and are drawn from everywhere.

Takes some minutes on one core. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from models.pretraining import Plan, Text, make
from tasks.problems import synthetic_math as problems
from tasks.problems.synthetic_sums import draw_number

SEED = 0
PLAN = Plan(steps=2600, seed=SEED)
# Shares of sum lists in the text, before and after DRILL_STEPS. Sums are learnt several times
# faster from lists than inside solutions.
DRILL_STEPS, DRILL_EARLY, DRILL_LATE = 500, 0.8, 0.15
# How solutions are written: hasty, brisk, careful.
WAYS = (0.2, 0.58, 0.22)
SLIP = 0.1
SLIPS = (-10, -2, -1, 1, 2, 10)

# Words, digits and signs are never merged with each other; every digit stands alone.
PIECES = r" ?[A-Za-z]+| ?#+ ?|, |\d|[^\w]|."


def sums(rng: random.Random, count: int = 7) -> str:
    """A list of single sums, all right."""
    facts: list[str] = []
    while len(facts) < count:
        if (drawn := draw_number(rng)) is not None:
            facts.append(f"{drawn[0]}={drawn[1]}")
    return ", ".join(facts)


def solved(rng: random.Random, row: problems.SumProblem) -> Text:
    """A problem with a solution as somebody might write it."""
    value, steps = row.sum.first, []
    for sign, number in row.sum.moves:
        total = problems.apply(value, sign, number)
        if rng.random() < SLIP:
            total = max(1, total + rng.choice(SLIPS))
        steps.append(f"{value}{sign}{number}={total}")
        value = total
    way = rng.choices(("hasty", "brisk", "careful"), WAYS)[0]
    work = {"hasty": "", "brisk": f"{row.sum.text}={value} ", "careful": ", ".join(steps) + " "}
    return f"Q: {row.question}\nA: ", f"{work[way]}#### {value}"


def corpus(seed: int = SEED) -> Iterator[Text]:
    """The text of the pre-training, without end."""
    rng = random.Random(f"tiny-math/{seed}")
    rows = problems.sum_stream("corpus", seed=seed)
    for index in itertools.count():
        drill = DRILL_EARLY if index < DRILL_STEPS * PLAN.batch else DRILL_LATE
        yield ("", sums(rng)) if rng.random() < drill else solved(rng, next(rows))


def vocabulary() -> Iterator[str]:
    """Text that has every word."""
    rng, rows = random.Random(SEED), problems.sum_stream("corpus", seed=SEED)
    return ("".join(solved(rng, row)) for row in itertools.islice(rows, 4000))


if __name__ == "__main__":
    make(Path(__file__).parent / "tiny-math", corpus, vocabulary(), PIECES, PLAN)
