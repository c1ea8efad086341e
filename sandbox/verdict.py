"""Jobs, limits and verdicts of the sandbox, and the comparison, which happens outside of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat, zip_longest
from typing import Literal, TypedDict, cast

from sandbox.rule import EXACT, FLOAT_ERROR, Rule

# Digits of a whole number that Python reads as one.
MAX_DIGITS = 4300
# Tokens are apart by these; any other white space, such as a no-break space, is part of one.
_SPACE = " \t\f\v"
_TOKEN = re.compile(rf"[^{_SPACE}]+")
_BLANK = _SPACE + "\r"
# Characters of an output that are taken apart into lines at once.
_BLOCK = 1 << 16
# What is written as a float, and so compared as one: 1.5, 1e-05. 12e3 may be a name.
_FLOAT = re.compile(
    r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?|[+-]?[0-9]+[eE][+-][0-9]{1,4}"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")

Items = Sequence[object]


class ProgramStatus(StrEnum):
    """How a job or a test of it ended."""

    CORRECT = "correct"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"
    CHECKER_ERROR = "checker_error"
    SANDBOX_ERROR = "sandbox_error"


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        cpu: Processor time of a test in seconds; wall time is limited to three times that.
        memory: Bytes of address space beyond the interpreter's.
        output: Bytes that a program may print.
        file: Bytes of the largest file it may write.
        processes: Processes and threads at once.
    """

    cpu: float = 4.0
    memory: int = 256 * 2**20
    output: int = 8 * 2**20
    file: int = 16 * 2**20
    processes: int = 64


@dataclass(frozen=True)
class Test:
    """One test: standard input and output, or arguments and the expected value."""

    stdin: str = ""
    expected: str = ""
    args: tuple[object, ...] | None = None
    value: object = None


@dataclass(frozen=True)
class Job:
    """A program and its tests.

    Attributes:
        tests: In order; all of one form.
        entry: Name of the function (or method of `Solution`) that is called; None: a program that
            reads standard input.
        limits: For each test.
        stop_at_failure: Whether the tests after the first failure are left out.
        wrap: Whether a program that is no module, because it says `return` at its top level or
            `nonlocal` of a name there, runs as the body of a function. The authors of APPS ran all
            programs so, and some of its reference solutions need it.
        check: Source of a function `check(candidate)` that calls what `entry` names and raises if a
            value is wrong; see `checked_job`.
        checker: Source of a checker, which says whether an output is one of several right ones;
            see checker.py.
        rule: How outputs are compared.
        in_place: Which argument of a call is its result, counted from 0; None: the value.
        language: Of the program; C++ reads standard input.
        judge: Source of the program that talks to this one; see `interactive_job`.
    """

    program: str
    tests: tuple[Test, ...]
    entry: str | None = None
    limits: Limits = field(default_factory=Limits)
    stop_at_failure: bool = True
    wrap: bool = False
    check: str | None = None
    checker: str | None = None
    rule: Rule = EXACT
    in_place: int | None = None
    language: Literal["python", "cpp"] = "python"
    judge: str | None = None


def checked_job(program: str, entry: str, check: str, limits: Limits) -> Job:
    """The job that tests a function by a check, whose values the program never holds.

    Args:
        entry: Name of the function.
        check: Source of `check(candidate)`. `entry` names the candidate there too.
        limits: For program and check each, over all calls.
    """
    # One test: that the check returns, which the runner reports as `true`.
    return Job(program, (Test(value=True),), entry, limits, check=check)


def interactive_job(
    program: str,
    judge: str,
    inputs: Sequence[str],
    limits: Limits,
    language: Literal["python", "cpp"] = "python",
    *,
    stop_at_failure: bool = True,
) -> Job:
    """The job that tests a program by a judge which it talks to: sandbox/inside/interactive.py.

    Args:
        judge: Python; trusted, of the data set. The path of the input is its first argument.
        inputs: For the judge, one a test. The program sees nothing of them.
        limits: For program and judge each, in each test.
        stop_at_failure: As in Job.
    """
    tests = tuple(Test(stdin=one, value=True) for one in inputs)
    return Job(
        program,
        tests,
        limits=limits,
        language=language,
        judge=judge,
        stop_at_failure=stop_at_failure,
    )


@dataclass(frozen=True)
class Verdict:
    """What became of a job.

    Attributes:
        status: `correct`, or that of the first test that failed.
        passed: Tests passed; with stop_at_failure, before the first failure.
        first_failure: Its index, or None.
        seconds: Processor time of all tests that ran.
        busy: Wall time that a container was busy with it.
        image: Digest of the image that ran it.
        detail: End of the standard error, or of the sandbox's own error.
    """

    status: ProgramStatus
    passed: int
    total: int
    first_failure: int | None
    seconds: float
    image: str = ""
    detail: str = ""
    busy: float = field(default=0.0, compare=False)


class Report(TypedDict):
    """What became of a test: `ok` or a ProgramStatus, what was printed, and seconds."""

    status: str
    output: str
    stderr: str
    cpu: float


def judge_test(test: Test, report: Report, *, call: bool, rule: Rule = EXACT) -> ProgramStatus:
    """The status of one test from what the runner reports."""
    if report["status"] != "ok":
        return ProgramStatus(report["status"])
    output = report["output"]
    try:
        if call:
            good = same_value(output, test.value, rule.float_error)
        else:
            texts = rule.text(output), rule.text(test.expected)
            good = same_output(*texts, rule.float_error)
    except Exception:  # whatever a program printed: one verdict, never the end of a file or a run
        return ProgramStatus.SANDBOX_ERROR
    return ProgramStatus.CORRECT if good else ProgramStatus.WRONG_ANSWER


def same_output(printed: str, wanted: str, error: float = FLOAT_ERROR) -> bool:
    """Whether the printed lines are the expected ones, token by token.

    White space at the ends of lines and empty lines at the end do not count, nor do empty lines at
    the beginning where none is expected; the order and the number of lines and tokens do.

    Args:
        printed: By the program.
        wanted: The expected output.
        error: Relative or absolute error within which a number is right.
    """
    if printed == wanted:
        return True
    got, expected = _lines(printed), _lines(wanted)
    first, want = next(got, None), next(expected, None)
    while first is not None and not first.strip(_BLANK) and want and want.strip(_BLANK):
        first = next(got, None)
    if not _same_line(first, want, error):
        return False
    return all(a == b or _same_line(a, b, error) for a, b in zip_longest(got, expected))


def _lines(text: str) -> Iterator[str]:
    """The lines up to the last that holds something; some at a time, as there may be millions."""
    end = len(text)
    while end and text[end - 1] in _BLANK + "\n":
        end -= 1
    at = 0
    while at < end:
        stop = min(at + _BLOCK, end)
        stop = end if stop == end or (cut := text.find("\n", stop, end)) < 0 else cut
        yield from text[at:stop].split("\n")
        at = stop + 1


def _same_line(got: str | None, expected: str | None, error: float) -> bool:
    if got is None or expected is None:
        return got is expected
    got, expected = got.rstrip(_BLANK), expected.rstrip(_BLANK)
    if got == expected:
        return True
    pairs = zip_longest(_TOKEN.finditer(got), _TOKEN.finditer(expected))
    return all(a is not None and b is not None and same_token(a[0], b[0], error) for a, b in pairs)


def same_token(got: str, expected: str, error: float = FLOAT_ERROR) -> bool:
    """Equal text, or numbers within the error where the expected one is written as a float."""
    if got == expected:
        return True
    if not _FLOAT.fullmatch(expected) or not _NUMBER.fullmatch(got):
        return False
    value = float(expected)  # 1e999 is no number that a float tells from another
    return math.isfinite(value) and _close(float(got), value, error)


def same_value(text: str, expected: object, error: float = FLOAT_ERROR) -> bool:
    """Whether a call returned the expected value; the text is JSON from the container."""
    try:
        value = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return False
    return _equal(value, expected, error)


def _integer(digits: str) -> object:
    """A whole number; one of more digits than Python reads equals nothing that is expected."""
    return int(digits) if len(digits) <= MAX_DIGITS else (digits,)


def _equal(got: object, expected: object, error: float) -> bool:
    """Equality of Python, by which 5.0 is 5 and True is 1, and a tuple here a list."""
    if isinstance(got, int | float) and isinstance(expected, int | float):
        if not isinstance(expected, float):
            return got == expected
        try:
            return _close(float(got), expected, error)
        except OverflowError:  # 10**400
            return False
    if isinstance(expected, list | tuple):
        return isinstance(got, list) and _equal_items(
            cast(Items, got), cast(Items, expected), error
        )
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return False
        found = cast(dict[object, object], got)
        wanted = {str(key): one for key, one in cast(dict[object, object], expected).items()}
        return found.keys() == wanted.keys() and _equal_items(
            [found[key] for key in wanted], list(wanted.values()), error
        )
    return type(got) is type(expected) and got == expected


def _equal_items(got: Items, expected: Items, error: float) -> bool:
    return len(got) == len(expected) and all(map(_equal, got, expected, repeat(error)))


def _close(got: float, expected: float, error: float) -> bool:
    if math.isnan(expected):
        return math.isnan(got)
    return math.isclose(got, expected, rel_tol=error, abs_tol=error)
