"""The small language behind `synthetic_code`: chains of one to three operations on what is read.

A task reads one or two numbers, each on a line of its own, or a list of numbers on one line. Its
operations follow each other from left to right, and the last result is printed. Every operation
has its meaning (a Python function, which computes the expected outputs), its words, and two ways to
be written: as a statement, and inside one expression.

Nothing here executes a text. Not covered: strings, loops that a chain cannot express, conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

NUMBERS, LIST = "numbers", "list"


@dataclass(frozen=True)
class Operation:
    """What one operation means and how it is said.

    Attributes:
        words: Ways to say it; the operand, where there is one, follows.
        code: Python with {v} for the value so far and {k} for the operand.
        meaning: (value, operand) → value.
        operand: Whether it takes one.
        tight: Whether it binds tighter than a sum, so that a sum before it needs parentheses.
        loose: Whether it is itself a sum.
        ends: Whether it makes one number of a list and so stands last.
    """

    words: tuple[str, ...]
    code: str
    meaning: Callable[[Any, int], Any]
    operand: bool = True
    tight: bool = False
    loose: bool = False
    ends: bool = False


ON_NUMBERS = {
    "plus": Operation(("plus", "add"), "{v}+{k}", lambda v, k: v + k, loose=True),
    "minus": Operation(("minus", "less"), "{v}-{k}", lambda v, k: v - k, loose=True),
    "times": Operation(("times",), "{v}*{k}", lambda v, k: v * k, tight=True),
    "div": Operation(("div",), "{v}//{k}", lambda v, k: v // k, tight=True),
    "mod": Operation(("mod",), "{v}%{k}", lambda v, k: v % k, tight=True),
    "max": Operation(("max",), "max({v},{k})", lambda v, k: max(v, k)),
    "min": Operation(("min",), "min({v},{k})", lambda v, k: min(v, k)),
}
ON_LISTS = {
    "even": Operation(
        ("keep even",),
        "[v for v in {v} if v%2==0]",
        lambda x, _: [v for v in x if v % 2 == 0],
        operand=False,
    ),
    "odd": Operation(
        ("keep odd",),
        "[v for v in {v} if v%2==1]",
        lambda x, _: [v for v in x if v % 2 == 1],
        operand=False,
    ),
    "over": Operation(
        ("keep over",), "[v for v in {v} if v>{k}]", lambda x, k: [v for v in x if v > k]
    ),
    "under": Operation(
        ("keep under",), "[v for v in {v} if v<{k}]", lambda x, k: [v for v in x if v < k]
    ),
    "plus": Operation(("plus", "add"), "[v+{k} for v in {v}]", lambda x, k: [v + k for v in x]),
    "times": Operation(("times",), "[v*{k} for v in {v}]", lambda x, k: [v * k for v in x]),
    "mod": Operation(("mod",), "[v%{k} for v in {v}]", lambda x, k: [v % k for v in x]),
    "sort": Operation(("sort",), "sorted({v})", lambda x, _: sorted(x), operand=False),
    "reverse": Operation(("reverse",), "{v}[::-1]", lambda x, _: x[::-1], operand=False),
    "sum": Operation(("sum",), "sum({v})", lambda x, _: sum(x), operand=False, ends=True),
    "count": Operation(("count",), "len({v})", lambda x, _: len(x), operand=False, ends=True),
    "largest": Operation(("largest",), "max({v})", lambda x, _: max(x), operand=False, ends=True),
    "smallest": Operation(("smallest",), "min({v})", lambda x, _: min(x), operand=False, ends=True),
}
TABLES = {NUMBERS: ON_NUMBERS, LIST: ON_LISTS}
KEEPS = frozenset({"even", "odd", "over", "under"})


@dataclass(frozen=True)
class CodeStep:
    """One operation of a task; the operand is a number, `b` (the second input) or nothing."""

    name: str
    operand: str = ""


@dataclass(frozen=True)
class CodeTask:
    """What a program has to do.

    Attributes:
        level: "1" (easy) to "5".
        kind: NUMBERS or LIST.
        steps: The operations in order.
    """

    level: str
    kind: str
    steps: tuple[CodeStep, ...]

    @property
    def two(self) -> bool:
        """Whether a second number is read."""
        return any(step.operand == "b" for step in self.steps)

    @property
    def text(self) -> str:
        """The operations alone, such as `a b: times b, plus 3`."""
        reads = "x" if self.kind == LIST else "a b" if self.two else "a"
        steps = ", ".join(f"{step.name} {step.operand}".strip() for step in self.steps)
        return f"{reads}: {steps}"

    def run(self, values: Sequence[int]) -> str:
        """The line that a right program prints for these inputs; numbers past those read: unused.

        Raises:
            ValueError: The largest or smallest of no number at all.
        """
        value: int | list[int] = list(values) if self.kind == LIST else values[0]
        for step in self.steps:
            operand = values[1] if step.operand == "b" else int(step.operand or 0)
            value = TABLES[self.kind][step.name].meaning(value, operand)
        return " ".join(map(str, value)) if isinstance(value, list) else str(value)

    def input(self, values: Sequence[int]) -> str:
        """How these inputs stand on standard input."""
        if self.kind == LIST:
            return " ".join(map(str, values)) + "\n"
        return "".join(f"{value}\n" for value in values[: 1 + self.two])


def stepwise(task: CodeTask) -> str:
    """The program that has one statement for each operation."""
    name = _name(task)
    lines = []
    for step in task.steps[:-1]:
        lines.append(f"{name}={_code(task, step, name)}")
    return "\n".join([*_reads(task), *lines, _prints(task, _code(task, task.steps[-1], name))])


def at_once(task: CodeTask) -> str:
    """The program that has all operations in one expression."""
    return "\n".join([*_reads(task), _prints(task, _expression(task))])


def as_read(task: CodeTask) -> str:
    """One expression in the order of the words, which is often wrong.

    It leaves out the parentheses that sums need, and for lists puts the first operation outermost.
    """
    if task.kind == LIST:
        ends = TABLES[LIST][task.steps[-1].name].ends
        chain = task.steps[:-1] if ends else task.steps
        return at_once(replace(task, steps=chain[::-1] + task.steps[len(chain) :]))
    code = _name(task)
    for step in task.steps:
        code = _code(task, step, code)
    return "\n".join([*_reads(task), _prints(task, code)])


def in_function(task: CodeTask) -> str:
    """The program that leaves the work, in one expression, to a function."""
    reads = [line.split("=", 1) for line in _reads(task)]
    names, values = (",".join(part) for part in zip(*reads, strict=True))
    work = f" return {_expression(task)}"
    return "\n".join([f"def f({names}):", work, _prints(task, f"f({values})")])


def _expression(task: CodeTask) -> str:
    code, loose = _name(task), False
    for step in task.steps:
        operation = TABLES[task.kind][step.name]
        code = _code(task, step, f"({code})" if loose and operation.tight else code)
        loose = operation.loose and task.kind == NUMBERS
    return code


def _name(task: CodeTask) -> str:
    return "x" if task.kind == LIST else "a"


def _reads(task: CodeTask) -> list[str]:
    if task.kind == LIST:
        return ["x=list(map(int,input().split()))"]
    return [f"{name}=int(input())" for name in ("ab" if task.two else "a")]


def _code(task: CodeTask, step: CodeStep, value: str) -> str:
    code = TABLES[task.kind][step.name].code
    return code.replace("{k}", step.operand).replace("{v}", value)


def _prints(task: CodeTask, code: str) -> str:
    whole = task.kind == LIST and not TABLES[LIST][task.steps[-1].name].ends
    return f"print(*{code})" if whole else f"print({code})"
