"""`synthetic_code`: small programming tasks made by a program, in five levels of difficulty.

They let the loop run on code in minutes with no download: read one or two numbers or a list, apply
one to three operations, print the result. What decides the side of a task is what it computes: a
hash of its results on fixed inputs falls into one of three shares, so that two tasks that differ
only in words, or in the order of operations that commute, never stand on two sides.

- `test`: held out from everything;
- `train`: what the loop trains on; no task comes twice, so the validation problems that are taken
  from these have no twin among the rest;
- `corpus`: what a base model may be pre-trained on.

A question has at most thirteen words, so that two questions never share a run of thirteen, the
size at which `select` takes a training problem for a copy of a test problem, unless they are one.
Every operation of a task changes the result of some of its tests, so none can be left out.

The `solution` of a row stands for a program that a person wrote. It is made by a program like all
else here: right, and always in one way, with a function, which is none of those of the shipped base
model (models/make_tiny_code.py). It has none of the variety of real people.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tasks.problems.source import check_generated, problem_row
from tasks.problems.synthetic_code_tasks import (
    KEEPS,
    LIST,
    NUMBERS,
    TABLES,
    CodeStep,
    CodeTask,
    in_function,
)
from tasks.problems.synthetic_math import LEVELS, SHARES
from tasks.rows import Row

# Problems of each level; one operation alone makes few different tasks.
CODE_SIZES = {"train": (60, 460, 460, 460, 460), "test": (30, 110, 110, 110, 110)}
# Level -> what is read and the number of operations.
CODE_SHAPES = {
    "1": (NUMBERS, 1),
    "2": (NUMBERS, 2),
    "3": (LIST, 2),
    "4": (NUMBERS, 3),
    "5": (LIST, 3),
}
TESTS_A_TASK = 8
# Operands are copied from the question, so their size makes a task no harder; for lists they stay
# in the range of the elements, else a comparison would keep all of them or none.
LARGEST_OPERAND = {NUMBERS: 99, LIST: 40}
LARGEST_INPUT = {NUMBERS: 200, LIST: 50}
LENGTHS = (4, 8)
PROBE_COUNT = 24
# An operation that matters for fewer probes would take many draws of tests to show.
MATTERING = 3

READ, PRINT = ("Read", "Get", "Take"), ("print", "show", "give")


@dataclass(frozen=True)
class CodeProblem:
    """A task, its question, and the (input, output) pairs that a program is checked with."""

    question: str
    task: CodeTask
    tests: tuple[tuple[str, str], ...]


def draw_inputs(rng: random.Random, kind: str) -> list[int]:
    """Draw what a program may read: two numbers, of which it may use one, or a list."""
    size = rng.randint(*LENGTHS) if kind == LIST else 2
    return [rng.randint(1, LARGEST_INPUT[kind]) for _ in range(size)]


def _probes(kind: str) -> list[list[int]]:
    rng = random.Random(f"synthetic_code/probes/{kind}")
    return [draw_inputs(rng, kind) for _ in range(PROBE_COUNT)]


PROBES = {kind: _probes(kind) for kind in (NUMBERS, LIST)}


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the rows of a split, always the same ones; raises like `check_generated`."""
    check_generated("synthetic_code", split, source)
    seen: set[str] = set()
    for level, size in zip(LEVELS, CODE_SIZES[split], strict=True):
        rng = random.Random(f"synthetic_code/{split}/{level}")
        whole = len(seen) + size
        while len(seen) < whole:
            task = draw_task(rng, level, split)
            name = behaviour(task)
            if name not in seen:
                yield code_row(_problem(rng, task), "synthetic_code", split, len(seen))
                seen.add(name)


def code_stream(share: str, *, seed: int) -> Iterator[CodeProblem]:
    """Yield problems of a share without end, levels in turn; in time a task comes again."""
    rng = random.Random(f"synthetic_code/{share}/{seed}")
    for level in itertools.cycle(LEVELS):
        yield _problem(rng, draw_task(rng, level, share))


def draw_task(
    rng: random.Random, level: str, share: str, shape: tuple[str, int] | None = None
) -> CodeTask:
    """Draw a task of which every operation matters.

    Args:
        rng: Where chance comes from.
        level: Of the task.
        share: The side on which it has to stand.
        shape: What is read and the number of operations; by default as its level has them.
    """
    kind, count = shape or CODE_SHAPES[level]
    while True:
        steps = []
        for _ in range(count):
            name = rng.choice(list(TABLES[kind]))
            operand = str(rng.randint(2, LARGEST_OPERAND[kind]))
            if kind == NUMBERS and rng.random() < 0.3:
                operand = "b"
            steps.append(CodeStep(name, operand if TABLES[kind][name].operand else ""))
        task = CodeTask(level, kind, tuple(steps))
        if not _sensible(task) or share_of(task) != share:
            continue
        # As the tests do, count only inputs for which something is printed; a chain that keeps
        # next to nothing, or prints the same for all, is no task.
        values = [value for value in PROBES[kind] if task.run(value)]
        results = {task.run(value) for value in values}
        if len(values) < PROBE_COUNT // 2 or len(results) < MATTERING:
            continue
        if all(count >= MATTERING for count in mattering(task, values)):
            return task


def mattering(task: CodeTask, values: Sequence[Sequence[int]]) -> list[int]:
    """For each operation, for how many inputs the result would be another one without it."""
    right = [task.run(value) for value in values]
    counts = []
    for place in range(len(task.steps)):
        without = replace(task, steps=task.steps[:place] + task.steps[place + 1 :])
        counts.append(sum(a != without.run(v) for a, v in zip(right, values, strict=True)))
    return counts


def behaviour(task: CodeTask) -> str:
    """What a task computes, as a hash of its results on the probes."""
    results = [task.input(value) + task.run(value) for value in PROBES[task.kind]]
    return hashlib.sha256(f"synthetic_code:{results}".encode()).hexdigest()


def share_of(task: CodeTask) -> str:
    """The side on which a task stands, whatever its words."""
    bucket = int(behaviour(task)[:16], 16) % 10
    return next(share for share, buckets in SHARES.items() if bucket in buckets)


def tests_of(rng: random.Random, task: CodeTask) -> tuple[tuple[str, str], ...]:
    """Draw tests with different inputs and a printed result, and each operation mattering."""
    while True:
        drawn: dict[str, list[int]] = {}
        while len(drawn) < TESTS_A_TASK:
            values = draw_inputs(rng, task.kind)
            if task.run(values):
                drawn[task.input(values)] = values
        results = {task.run(values) for values in drawn.values()}
        if len(results) > 1 and all(mattering(task, list(drawn.values()))):
            return tuple((text, task.run(values) + "\n") for text, values in drawn.items())


def told_steps(rng: random.Random, task: CodeTask) -> list[str]:
    """Each operation in words, such as `times 3`."""
    words = [rng.choice(TABLES[task.kind][step.name].words) for step in task.steps]
    return [f"{said} {step.operand}".strip() for said, step in zip(words, task.steps, strict=True)]


def task_in_words(rng: random.Random, task: CodeTask) -> str:
    """Put a task into words: at most thirteen of them, for up to three operations."""
    parts = told_steps(rng, task)
    read, show = rng.choice(READ), rng.choice(PRINT)
    if task.kind == LIST:
        return f"{read} list x: {', '.join(parts)}; {show} it."
    return f"{read} {'a, b' if task.two else 'a'}: a {', '.join(parts)}; {show} it."


def code_row(problem: CodeProblem, name: str, split: str, index: int) -> Row:
    """The row of a problem of the data set `name`."""
    tests = [{"input": given, "output": output} for given, output in problem.tests]
    return problem_row(
        *(name, split, f"{index:05d}", "code"),
        question=problem.question,
        reference=json.dumps({"tests": tests}),
        solution=in_function(problem.task),
        level=problem.task.level,
        subject=problem.task.kind,
    )


def _problem(rng: random.Random, task: CodeTask) -> CodeProblem:
    return CodeProblem(task_in_words(rng, task), task, tests_of(rng, task))


def _sensible(task: CodeTask) -> bool:
    """Whether a task is defined for all inputs, and by words that mean one thing."""
    names = [step.name for step in task.steps]
    operations = [TABLES[task.kind][name] for name in names]
    operands = [step.operand for step in task.steps if step.operand]
    # An operation that comes twice is one in disguise (plus 4, plus 5) or none (reverse, reverse),
    # and an operand that comes twice may undo itself (times b, div b).
    if len(set(names)) < len(names) or len(set(operands)) < len(operands):
        return False
    if any(operation.ends for operation in operations[:-1]):
        return False
    if task.kind == LIST:  # a list with nothing kept has no largest element
        return names[-1] not in ("largest", "smallest") or not KEEPS & set(names)
    # What is left of a negative number is a matter of taste.
    return not any(name in ("div", "mod") and "minus" in names[:i] for i, name in enumerate(names))
