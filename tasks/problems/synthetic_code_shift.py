"""`synthetic_code_shift`: tasks of the skills of `synthetic_code` that look unlike them.

For evaluation only: whether what a model learnt from `synthetic_code` carries over to a task whose
form it was not trained on (Singh et al., arXiv 2312.06585, figure 9, in small). Two subjects:

- `longer`, 100 problems: four operations, where training has at most three;
- `reworded`, 200: the levels of training told otherwise: each operation in a clause of its own, or
  what to print named instead of `it`. All words are those of `synthetic_code`.

All tasks are of the share `test` of what they compute, which neither the loop nor the shipped base
model has seen. Questions may be longer than the thirteen words of `synthetic_code`: that rule keeps
training problems from being taken for copies of test problems, and a training problem tells at most
three operations, between the same signs and with the same end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tasks.problems import synthetic_code as base
from tasks.problems.source import check_generated
from tasks.problems.synthetic_code_tasks import LIST, NUMBERS, CodeTask
from tasks.problems.synthetic_math import LEVELS
from tasks.rows import Row

_NAME = "synthetic_code_shift"
SHIFTED_CODE_SIZES = {"longer": 100, "reworded": 200}
OPERATIONS = 4


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the rows of `test`, always the same ones; raises like `check_generated`."""
    check_generated(_NAME, split, source, instead="synthetic_code")
    for index, (subject, problem) in enumerate(problems()):
        yield {**base.code_row(problem, _NAME, split, index), "subject": subject}


def problems() -> Iterator[tuple[str, base.CodeProblem]]:
    """Yield each problem with its subject."""
    for subject, size in SHIFTED_CODE_SIZES.items():
        rng = random.Random(f"{_NAME}/{subject}")
        seen: set[str] = set()
        while len(seen) < size:
            task = _draw(rng, subject, len(seen))
            words = reworded_task if subject == "reworded" else base.task_in_words
            question, name = words(rng, task), base.behaviour(task)
            if name not in seen:
                seen.add(name)
                yield subject, base.CodeProblem(question, task, base.tests_of(rng, task))


def _draw(rng: random.Random, subject: str, number: int) -> CodeTask:
    """A task of a subject; those with four operations are above every level and have none."""
    if subject == "longer":
        return base.draw_task(rng, "", "test", shape=((NUMBERS, LIST)[number % 2], OPERATIONS))
    return base.draw_task(rng, LEVELS[number % len(LEVELS)], "test")


def reworded_task(rng: random.Random, task: CodeTask) -> str:
    """Put a task into other words than `synthetic_code` does."""
    parts = base.told_steps(rng, task)
    read, show = rng.choice(base.READ), rng.choice(base.PRINT)
    name = "x" if task.kind == LIST else "a"
    given = "list x" if task.kind == LIST else "a, b" if task.two else "a"
    first = "" if task.kind == LIST else "a "
    if rng.random() < 0.5:
        return f"{read} {given}: {first}{'; '.join(parts)}; {show} it."
    return f"{read} {given}: {first}{', '.join(parts)}; {show} {name}."
