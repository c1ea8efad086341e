"""`restem execute FILE`: programs with tests in, one line for each with its verdict out."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TextIO

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits
from tasks.errors import UserError
from tasks.facts import is_object
from tasks.rows import Json
from tasks.score.code.tests import read_in_place, read_tests

# Of the containers; a job may ask for less.
MEMORY_MB = 1024
_WANTED = 'an object with "id", "program" and "tests"'


def execute_lines(lines: Iterable[str | bytes], pool: SandboxPool, out: TextIO) -> int:
    """Run each line's program on its tests and write its verdict, in the order of the input.

    A line is {"id", "program", "tests", "time_limit", "memory_mb"}, the last two optional: seconds
    of processor time and megabytes for each test. Tests are a list of {"input", "output"}, or
    {"entry_point", "cases": [{"args", "expected"}]}, with "in_place" the number of the argument
    that holds the result where the function returns nothing. Empty lines are skipped. In the place
    of the verdict of a malformed line stands {"id", "status": "malformed", "error"}; the rest is
    judged.

    Returns:
        How many programs were run.

    Raises:
        UserError: a line is not such an object, once all others have their verdicts; it names the
            first such line, the field, and how many more there are.
    """
    # In the order of the input: the id of a program that runs, or what is said of its line.
    waiting: deque[tuple[object, UserError | None]] = deque()
    mistakes: list[UserError] = []

    def jobs() -> Iterator[Job]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                name, job = read_job(line)
            except UserError as error:
                mistakes.append(UserError(f"line {number}: {error}"))
                waiting.append((_name(line), mistakes[-1]))
                continue
            waiting.append((name, None))
            yield job

    def write(row: Json) -> None:
        out.write(json.dumps(row) + "\n")
        out.flush()

    def write_mistakes() -> None:
        """Of the lines that come before the next verdict."""
        while waiting and waiting[0][1] is not None:
            name, mistake = waiting.popleft()
            write({"id": name, "status": "malformed", "error": str(mistake)})

    count = 0
    for verdict in pool.run(jobs()):
        write_mistakes()
        name, _ = waiting.popleft()
        write(
            {
                "id": name,
                "status": verdict.status.value,
                "passed": verdict.passed,
                "total": verdict.total,
                "first_failure": verdict.first_failure,
                "seconds": verdict.seconds,
            }
        )
        count += 1
    write_mistakes()
    if mistakes:
        more = len(mistakes) - 1
        also = f"; {more} more of the lines are malformed" if more else ""
        raise UserError(f"{mistakes[0]}{also}")
    return count


def _name(line: str | bytes) -> object:
    """The id of a malformed line, if it has one."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row.get("id") if is_object(row) else None


def read_job(line: str | bytes) -> tuple[object, Job]:
    """The id and the job of a line.

    Raises:
        UserError: the line is malformed.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f"not JSON; expected {_WANTED}") from None
    if not is_object(row) or "id" not in row:
        raise UserError(f"expected {_WANTED}")
    if not isinstance(row.get("program"), str):
        raise UserError('expected a text in "program"')
    limits = Limits(
        cpu=_number(row, "time_limit", Limits.cpu, 3600.0),
        memory=int(_number(row, "memory_mb", Limits.memory / 2**20, MEMORY_MB) * 2**20),
    )
    entry, tests = read_tests(row.get("tests"))
    in_place = read_in_place(row.get("tests"))
    return row["id"], Job(row["program"], tests, entry, limits, in_place=in_place)


def _number(row: Json, field: str, default: float, most: float) -> float:
    value = row.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise UserError(f'"{field}": expected a number above 0 and at most {most:g}')
    return float(value)
