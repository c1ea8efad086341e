"""Completions with programs in them get grades, in order, through the real sandbox."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Limits
from tasks.problems.loading import load_split as load_any
from tasks.problems.synthetic_code import load_split
from tasks.score.code.pool import CodePool

DOUBLE = json.dumps({"tests": [{"input": "3", "output": "6"}]})
CALL = json.dumps({"entry_point": "f", "cases": [{"args": [[3, 1]], "expected": [1, 3]}]})


@pytest.mark.parametrize(
    ("reference", "text", "status"),
    [
        (DOUBLE, "Sure:\n```python\nprint(2 * int(input()))\n```\nDone.", "correct"),
        (DOUBLE, "print(2 * int(input()))\n", "correct"),
        (DOUBLE, "n = int(input())\nif n == 3:\n    print(6)\n    return\nprint(n)", "correct"),
        (DOUBLE, "print(7)", "wrong_answer"),
        (DOUBLE, "I do not know", "compile_error"),
        (DOUBLE, "  \n", "no_answer"),
        (CALL, "def f(x: List[int]): return sorted(x)", "correct"),
        (CALL, "class Solution:\n    def f(self, x): return sorted(x)", "correct"),
        (CALL, "def g(x): return x", "runtime_error"),
        (DOUBLE, "from __future__ import division\nprint(6 if 1 / 2 else 0)", "correct"),
        (DOUBLE, "from fractions import gcd\nprint(gcd(-12, -18) * -1)", "correct"),
        (
            DOUBLE,
            "import time, collections\ntime.clock(); collections.Mapping\nprint(6)",
            "correct",
        ),
        (DOUBLE, "print(6 * math.gcd(1, 1))", "runtime_error"),  # it forgot an import
    ],
)
def test_a_completion_gets_its_status(
    pool: SandboxPool, reference: str, text: str, status: str
) -> None:
    ((grade, seconds),) = CodePool(pool, Limits()).grade([(reference, text)])
    assert grade.status.value == status
    assert grade.reward == (1.0 if status == "correct" else 0.0)
    assert seconds >= 0


def test_a_program_for_svamp_is_right_by_its_number(pool: SandboxPool, data: Path) -> None:
    numbers = [float(row["reference"]) for row in load_any("svamp", "test", source=str(data))]
    references = [row["reference"] for row in load_any("svamp_code", "test", source=str(data))]
    assert len(references) == len(numbers) == 300
    # As a division and as a whole number where it is one; then two too many, and another text.
    forms = ("print({0} * 2 / 2)", "print({0:.12g})", "print({0} + 2)", "print('about {0:.12g}')")
    pairs = [
        (r, form.format(n)) for r, n in zip(references, numbers, strict=True) for form in forms
    ]
    grades = [grade.reward for grade, _ in CodePool(pool, Limits()).grade(pairs)]
    assert grades == [1.0, 1.0, 0.0, 0.0] * 300


def test_many_grades_come_in_order(pool: SandboxPool) -> None:
    rows = list(itertools.islice(load_split("train"), 60))
    pairs = [
        (row["reference"], row["solution"] if number % 3 else "print('no')")
        for number, row in enumerate(rows)
    ]
    found = [grade.reward for grade, _ in CodePool(pool, Limits()).grade(iter(pairs))]
    assert found == [1.0 if number % 3 else 0.0 for number in range(60)]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("    return helper(x)\n\nprint(f(3))", "correct"),
        ("Here:\n```python\ndef f(x):\n    return x + 1\n```", "correct"),
        ("    return x", "wrong_answer"),
        ("    return helper(", "compile_error"),
        (
            "    return math.floor(x) + 1",
            "runtime_error",
        ),  # what the head does not import is missing
        ("\n", "no_answer"),
    ],
)
def test_a_completion_goes_on_from_the_head(pool: SandboxPool, text: str, status: str) -> None:
    head = 'def helper(x):\n    return x + 1\n\ndef f(x):\n    """Add 1."""\n'
    check = "def check(candidate):\n    assert candidate(1) == 2 == f(1) == helper(1)\n"
    reference = json.dumps({"entry_point": "f", "check": check, "head": head})
    ((grade, _),) = CodePool(pool, Limits()).grade([(reference, text)])
    assert grade.status.value == status
