"""Problems with several right answers: a checker, which the data set gives, judges the output.

A checker is trusted as the expected outputs are, and what it reads is not: so it runs in the
sandbox too, after the program has ended, as a job of its own under a user of its own. It has one of
two forms, both Python:

- a program, called as `checker.py input.txt correct_output.txt solution_output.txt`, that prints
  last a number from 0 to 1 (the form of open-r1/codeforces);
- a source with a function `check_output(given, expected, printed)` of three texts that returns a
  truth value or such a number.

1 is right and any other number from 0 on is wrong. A checker that fails, takes too long or says
nothing of that kind is a `checker_error`, which is no statement about the program. Of a test by a
call the texts are JSON: the list of arguments, and the two values. An output that is equal to the
expected one is right and not shown to the checker.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from sandbox.verdict import Job, Limits, ProgramStatus, Report, Test, judge_test

FUNCTION, PARAMETERS = "check_output", 3
# Processor time of a checker for one test, where the program has less.
CHECKER_SECONDS = 10.0
# Outputs that wait for the checker together, in characters. A first one is checked at once, for
# most wrong programs fail there.
WAITING = 16 * 2**20

Judged = tuple[ProgramStatus, Report]
Run = Callable[[Job, Callable[[int, Report], bool]], None]

_AS_A_PROGRAM = """import json, sys
sys.argv = ["checker.py", "input.txt", "correct_output.txt", "solution_output.txt"]
for name, text in zip(sys.argv[1:], json.load(sys.stdin)):
    with open(name, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        file.write(text)
exec(compile({source!r}, "checker.py", "exec"))
"""
_AS_A_FUNCTION = """import json, sys
names = {{"__name__": "checker"}}
exec(compile({source!r}, "checker.py", "exec"), names)
print("\\n", float(names[{name!r}](*json.load(sys.stdin))), sep="")
"""


def is_checker(source: str) -> bool:
    """Whether a source can be a checker, as far as is seen without running it."""
    return _parsed(source) is not None


def checker_program(source: str) -> str:
    """The program that reads the three texts as a JSON list and calls the checker with them."""
    form = _AS_A_FUNCTION if _has_function(source) else _AS_A_PROGRAM
    return form.format(source=source, name=FUNCTION)


def _has_function(source: str) -> bool:
    tree = _parsed(source)
    return tree is not None and any(
        isinstance(one, ast.FunctionDef)
        and one.name == FUNCTION
        and len(one.args.args) == PARAMETERS
        for one in tree.body
    )


def _parsed(source: str) -> ast.Module | None:
    try:
        try:
            return ast.parse(source)
        except SystemError:  # Python 3.11 miscounts its depth where other threads parse too
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def run_checked(run: Run, job: Job) -> list[Judged]:
    """Judge a job by its checker.

    Args:
        run: Runs a job's tests in a container and hands over their reports, as `Container.run`.
        job: One with a checker.

    Returns:
        Status and report of each test that ran. The last one may have failed to compile.
    """
    found: list[Judged] = []
    room = 0
    while len(found) < len(job.tests):
        first = len(found)
        waiting = _run_tests(run, job, found, room)
        room = WAITING
        failed = _check(run, job, found, waiting)
        if failed is not None and job.stop_at_failure:
            return found[: failed + 1]
        if len(found) == first or found[-1][0] is ProgramStatus.COMPILE_ERROR:
            return found
        if found[-1][0] is not ProgramStatus.CORRECT and job.stop_at_failure:
            return found
    return found


def _run_tests(run: Run, job: Job, found: list[Judged], room: int) -> list[int]:
    """Run tests that have not run; the numbers of those whose outputs the checker has to see."""
    first = len(found)
    waiting: list[int] = []
    size = 0

    def seen(number: int, report: Report) -> bool:
        nonlocal size
        test = job.tests[first + number]
        status = judge_test(test, report, call=job.entry is not None, rule=job.rule)
        found.append((status, report))
        if status is ProgramStatus.WRONG_ANSWER and report["status"] == "ok":
            waiting.append(first + number)
            size += len(report["output"])
            return size <= room
        return status is ProgramStatus.CORRECT or not job.stop_at_failure

    run(replace(job, tests=job.tests[first:], checker=None), seen)
    return waiting


def _check(run: Run, job: Job, found: list[Judged], waiting: Sequence[int]) -> int | None:
    """Put what the checker says into `found`; the number of the first test that is not right."""
    if not waiting:
        return None
    statuses: list[ProgramStatus] = []

    def seen(_: int, report: Report) -> bool:
        statuses.append(_said(report))
        if statuses[-1] is ProgramStatus.CHECKER_ERROR:
            failed = found[waiting[len(statuses) - 1]][1]
            failed["stderr"] = f"the checker failed: {report['status']}\n{report['stderr']}"
        return statuses[-1] is ProgramStatus.CORRECT or not job.stop_at_failure

    texts = [_texts(job.tests[number], found[number][1]["output"], job) for number in waiting]
    limits = replace(
        job.limits,
        cpu=max(job.limits.cpu, CHECKER_SECONDS),
        memory=max(job.limits.memory, Limits.memory),
        output=Limits.output,
        file=Limits.file * 2,
    )
    assert job.checker is not None
    run(
        Job(
            checker_program(job.checker),
            tuple(Test(json.dumps(three)) for three in texts),
            limits=limits,
            stop_at_failure=job.stop_at_failure,
        ),
        seen,
    )
    if not job.stop_at_failure:  # a checker that is no Python ends at its first test
        statuses += [ProgramStatus.CHECKER_ERROR] * (len(waiting) - len(statuses))
    for number, status in zip(waiting, statuses, strict=False):
        found[number] = (status, found[number][1])
        if status is not ProgramStatus.CORRECT and job.stop_at_failure:
            return number
    return None


def _texts(test: Test, output: str, job: Job) -> tuple[str, str, str]:
    if job.entry is None:
        return test.stdin, test.expected, output
    return json.dumps(test.args), json.dumps(test.value), output


def _said(report: Report) -> ProgramStatus:
    """What the end of a checker means."""
    words = report["output"].split()
    try:
        score = float(words[-1]) if report["status"] == "ok" and words else -1.0
    except ValueError:
        score = -1.0
    if not 0.0 <= score <= 1.0:
        return ProgramStatus.CHECKER_ERROR
    return ProgramStatus.CORRECT if score == 1.0 else ProgramStatus.WRONG_ANSWER
