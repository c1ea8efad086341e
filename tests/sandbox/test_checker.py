"""A checker judges what differs from the expected output, and its failure is no statement."""

from __future__ import annotations

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, ProgramStatus, Verdict
from sandbox.verdict import Test as Case

# Any two numbers whose sum is the input.
AS_A_PROGRAM = """
import sys

def main():
    given, right, printed = (open(name).read() for name in sys.argv[1:4])
    try:
        a, b = map(int, printed.split())
        print(1 if a + b == int(given) else 0)
    except ValueError:
        print("no two numbers, so", 0)

if __name__ == "__main__":
    main()
"""
AS_A_FUNCTION = """
def check_output(given, expected, printed):
    words = printed.split()
    if len(words) != 2 or not all(word.lstrip("-").isdigit() for word in words):
        return False
    return sum(map(int, words)) == int(given)
"""
FORMS = pytest.mark.parametrize(
    "checker", [AS_A_PROGRAM, AS_A_FUNCTION], ids=["program", "function"]
)
TESTS = tuple(Case(f"{n}\n", f"0 {n}") for n in (5, 7, 1, 12))
LIMITS = Limits(cpu=1.0)


def judged(pool: SandboxPool, program: str, checker: str, **more: object) -> Verdict:
    job = Job(program, TESTS, limits=LIMITS, checker=checker, **more)  # type: ignore[arg-type]
    return pool.submit(job).result()


@FORMS
@pytest.mark.parametrize(
    ("program", "status", "first"),
    [
        ("n = int(input())\nprint(0, n)", "correct", None),
        ("n = int(input())\nprint(n - 2, 2)", "correct", None),
        ("n = int(input())\nprint(n, 0 if n != 1 else 1)", "wrong_answer", 2),
        ("n = int(input())\nprint('0', n if n < 12 else 13)", "wrong_answer", 3),
        ("print('one two')", "wrong_answer", 0),
        ("print(1)", "wrong_answer", 0),
        ("n = int(input())\nprint(1, n - 1 if n != 1 else 1 // 0)", "runtime_error", 2),
        ("print(", "compile_error", 0),
        ("import time\ntime.sleep(100)", "time_limit", 0),
    ],
)
def test_the_first_test_that_is_wrong_decides(
    pool: SandboxPool, checker: str, program: str, status: str, first: int | None
) -> None:
    found = judged(pool, program, checker)
    assert (found.status.value, found.first_failure) == (status, first)
    assert found.passed == (4 if first is None else first)


@FORMS
def test_all_tests_are_judged_where_that_is_asked_for(pool: SandboxPool, checker: str) -> None:
    program = "n = int(input())\nprint(n - 1, 1 if n != 7 else 2)"
    found = judged(pool, program, checker, stop_at_failure=False)
    assert (found.status, found.passed, found.first_failure) == ("wrong_answer", 3, 1)


@pytest.mark.parametrize(
    "checker",
    [
        "import sys\nsys.exit(3)",
        "print('yes')",
        "print(2)",
        "print('nan')",
        "print(",
        "",
        "x = bytearray(2**31)",
        "def check_output(given, expected, printed): return None",
        "def check_output(given, expected, printed): raise ValueError",
        "import os\nos.kill(0, 9)",
    ],
)
@pytest.mark.parametrize("stop", [True, False])
def test_a_checker_that_fails_says_nothing_of_the_program(
    pool: SandboxPool, checker: str, stop: bool
) -> None:
    found = judged(pool, "print(1, int(input()) - 1)", checker, stop_at_failure=stop)
    assert (found.status, found.passed) == (ProgramStatus.CHECKER_ERROR, 0)
    assert "the checker failed" in found.detail or stop is False


def test_a_checker_that_does_not_end_says_nothing_either(pool: SandboxPool) -> None:
    found = judged(pool, "print(3)", "while True: pass")
    assert found.status is ProgramStatus.CHECKER_ERROR


def test_a_partial_score_is_not_right(pool: SandboxPool) -> None:
    assert judged(pool, "print(3)", "print(0.5)").status is ProgramStatus.WRONG_ANSWER
    assert judged(pool, "print(3)", "print(1.0)").status is ProgramStatus.CORRECT


def test_the_expected_output_is_right_without_the_checker(pool: SandboxPool) -> None:
    found = judged(pool, "print(0, int(input()))", "raise SystemExit(1)")
    assert found.status is ProgramStatus.CORRECT


def test_a_program_cannot_answer_for_its_checker(pool: SandboxPool) -> None:
    program = "print(1)\nopen('checker.py', 'w').write('print(1)')\nprint('1\\n1')"
    assert judged(pool, program, AS_A_PROGRAM).status is ProgramStatus.WRONG_ANSWER
    quoting = 'print(\'"); print(1) #\', "\\\\", chr(0), chr(0x1F600), "\\x1b[2J")'
    assert judged(pool, quoting, AS_A_FUNCTION).status is ProgramStatus.WRONG_ANSWER


def test_a_value_of_a_call_is_judged_as_json(pool: SandboxPool) -> None:
    checker = (
        "import json\n"
        "def check_output(given, expected, printed):\n"
        "    (numbers,), value = json.loads(given), json.loads(printed)\n"
        "    return value in numbers\n"
    )
    tests = (Case(args=([4, 6],), value=4), Case(args=([1, 2],), value=1))
    for program, status in (("max", "correct"), ("sum", "wrong_answer"), ("min", "correct")):
        job = Job(f"def f(x): return {program}(x)", tests, "f", LIMITS, checker=checker)
        assert pool.submit(job).result().status.value == status


def test_large_outputs_reach_the_checker_whole(pool: SandboxPool) -> None:
    checker = "def check_output(given, expected, printed): return len(printed) == 3_000_001"
    assert judged(pool, "print('é' * 3_000_000)", checker).status is ProgramStatus.CORRECT
    as_program = "import sys\nprint(int(len(open(sys.argv[3]).read()) == 3_000_001))"
    assert judged(pool, "print('é' * 3_000_000)", as_program).status is ProgramStatus.CORRECT
