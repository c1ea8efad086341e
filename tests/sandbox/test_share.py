"""The share of tests that a program passes as its reward, through the real sandbox."""

from __future__ import annotations

import json
import random

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Limits
from tasks.dag.contracts import Grade
from tasks.rows import Status
from tasks.score.code.pool import CodePool

# Wall time is three times that, more than a busy machine's pauses.
LIMITS = Limits(cpu=1.0, memory=128 * 2**20)
ECHO = json.dumps({"tests": [{"input": f"{n}\n", "output": f"{n}\n"} for n in range(6)]})
CALLS = json.dumps(
    {"entry_point": "f", "cases": [{"args": [n], "expected": n % 3} for n in range(6)]}
)


def graded(pool: SandboxPool, score: str, *pairs: tuple[str, str]) -> list[Grade]:
    return [grade for grade, _ in CodePool(pool, LIMITS, score).grade(pairs)]


def test_the_reward_is_the_share_of_tests_passed_whichever_they_are(pool: SandboxPool) -> None:
    rng = random.Random(7)
    patterns = [tuple(rng.random() < 0.5 for _ in range(6)) for _ in range(20)]
    patterns += [(True,) * 6, (False,) * 6]
    pairs = [(ECHO, f"n = int(input())\nprint(n if {good}[n] else 'no')") for good in patterns]
    for good, grade in zip(patterns, graded(pool, "tests", *pairs), strict=True):
        assert grade.reward == sum(good) / 6
        assert grade.status is (Status.CORRECT if all(good) else Status.WRONG_ANSWER)
        assert grade.first_failure == (-1 if all(good) else good.index(False))
    # Else right is all or nothing.
    for good, grade in zip(patterns, graded(pool, "correct", *pairs), strict=True):
        assert grade.reward == float(all(good))


@pytest.mark.parametrize(
    ("reference", "program", "reward", "status", "first"),
    [
        (CALLS, "def f(n): return n % 3 if n < 4 else 9", 4 / 6, "wrong_answer", 4),
        (ECHO, "n = int(input())\nassert n\nprint(n)", 5 / 6, "runtime_error", 0),
        # Each test has a time limit of its own, and what follows is run all the same.
        (ECHO, "n = int(input())\nwhile n == 2: pass\nprint(n)", 5 / 6, "time_limit", 2),
        (
            ECHO,
            "n = int(input())\n1 / (n - 1)\nprint(n if n < 5 else 0)",
            4 / 6,
            "runtime_error",
            1,
        ),
        (ECHO, "print(input()", 0.0, "compile_error", 0),
        (ECHO, "  \n", 0.0, "no_answer", -1),
    ],
)
def test_the_status_is_that_of_the_first_failing_test(
    pool: SandboxPool, reference: str, program: str, reward: float, status: str, first: int
) -> None:
    [grade] = graded(pool, "tests", (reference, program))
    assert (grade.reward, grade.status.value, grade.first_failure) == (reward, status, first)


@pytest.mark.parametrize(
    ("check", "body", "reward", "status"),
    [
        ("    assert candidate(1) == 2\n    assert candidate(2) == 3\n", "x + 1", 1.0, "correct"),
        ("    assert candidate(1) == 2\n    assert candidate(2) == 3\n", "2", 0.0, "wrong_answer"),
        # A check that cannot be run says nothing of the program.
        ("    return (\n", "x + 1", 0.0, "sandbox_error"),
    ],
)
def test_a_check_is_one_test(
    pool: SandboxPool, check: str, body: str, reward: float, status: str
) -> None:
    reference = json.dumps(
        {"entry_point": "f", "head": "def f(x):\n", "check": f"def check(candidate):\n{check}"}
    )
    [grade] = graded(pool, "tests", (reference, f"    return {body}\n"))
    assert (grade.reward, grade.status.value) == (reward, status)
