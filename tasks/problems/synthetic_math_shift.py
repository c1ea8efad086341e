"""`synthetic_math_shift`: problems of the skills of `synthetic_math` that look unlike them.

For evaluation only: whether what a model learnt from `synthetic_math` carries over to a task whose
form it was not trained on (Singh et al., arXiv 2312.06585, figure 9, in small). Two subjects:

- `longer`, 100 problems: four changes, where training has at most three;
- `reworded`, 200: the levels of training told otherwise: the things are named again, with every
  change or in the question. All words are those of `synthetic_math`.

All sums are of the share `test`, which neither the loop nor the shipped base models have seen.
Questions may be longer than the thirteen words of `synthetic_math`: that rule keeps training
problems from being taken for copies of test problems, and no training problem has four changes or
names its things twice, so none has thirteen words in a row in common with these.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tasks.problems import synthetic_math as base
from tasks.problems.source import check_generated
from tasks.rows import Row

_NAME = "synthetic_math_shift"
SHIFTED_SUM_SIZES = {"longer": 100, "reworded": 200}
LONGER = base.SumShape(start=50, bags=False, changes=4, largest=9)


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the rows of `test`, always the same ones; raises like `check_generated`."""
    check_generated(_NAME, split, source, instead="synthetic_math")
    index = 0
    for subject, size in SHIFTED_SUM_SIZES.items():
        rng = random.Random(f"{_NAME}/{subject}")
        seen: set[str] = set()
        while len(seen) < size:
            problem = _draw(rng, subject, len(seen))
            if problem.sum.share != "test" or problem.question in seen:
                continue
            seen.add(problem.question)
            yield base.sum_row(problem, _NAME, split, index, subject)
            index += 1


def _draw(rng: random.Random, subject: str, number: int) -> base.SumProblem:
    """A problem of a subject; those with four changes are above every level and have none."""
    if subject == "longer":
        return base.sum_in_words(rng, base.draw_sum(rng, "", LONGER))
    return reworded_sum(rng, base.draw_sum(rng, base.LEVELS[number % len(base.LEVELS)]))


def reworded_sum(rng: random.Random, drawn: base.Sum) -> base.SumProblem:
    """Put the arithmetic into other words than `synthetic_math` does."""
    name, thing = rng.choice(base.PEOPLE), rng.choice(base.THINGS)
    start, changes = f"{drawn.first} {thing}", drawn.moves
    if changes[0][0] == "*":
        start, changes = f"{drawn.first} bags of {changes[0][1]} {thing}", changes[1:]
    told, asked = list(base.told_changes(rng, changes, thing)), "How many?"
    if rng.random() < 0.5:
        told = [f"{change} {thing}" for change in told]
    else:
        asked = f"How many {thing}?"
    return base.SumProblem(f"{name} has {', '.join([start, *told])}. {asked}", drawn, name, thing)
