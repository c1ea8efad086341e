"""One line of `restem execute`: a program with its tests, as a job for the sandbox.

    {"id", "program", "tests", "time_limit", "memory_mb"}

The last two are optional. `tests` is one of
- a list of {"input", "output"}: what the program reads and prints;
- {"entry_point", "cases": [{"args", "expected"}]}: calls of a function; with a `signature`, where
  it takes lists or trees and programs need not say so, and with `in_place`, the number of the
  argument that holds the result;
- {"entry_point", "check"}: the source of `check(candidate)`, whose asserts hold the values. With a
  `head`, the names that it defines are the check's too;
- {"judge", "inputs"}: a trusted Python program that talks to this one, and what it is told.

`language` is python or cpp; C++ is for tests of the first form and of the last.

In the place of `program` and `tests` a line may have HumanEval's fields: `prompt`, `entry_point`,
`test`, and the model's `completion`; `task_id` is as good as `id`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sandbox.images import Language
from sandbox.verdict import Job, Limits, checked_job
from tasks.errors import UserError
from tasks.facts import is_object
from tasks.score.code.conditions import Conditions
from tasks.score.code.languages import LANGUAGES, job_by_language, language_of, with_signature
from tasks.score.code.program import complete_function
from tasks.score.code.tests import read_in_place, read_tests

# Of the containers; a job may ask for less.
MEMORY_MB = 1024
_WANTED = 'an object with "id", "program" and "tests"'
_HUMANEVAL = ("prompt", "entry_point", "test")


def read_job(line: str | bytes, languages: Sequence[Language] = LANGUAGES) -> tuple[object, Job]:
    """The id and the job of a line.

    Args:
        line: Of the file.
        languages: What the image at hand can run.

    Raises:
        UserError: the line is malformed.
    """
    row = _read(line)
    name = _name(row)
    if name is None and "id" not in row:
        raise UserError(f"expected {_WANTED}")
    limits = Limits(
        cpu=_number(row, "time_limit", Limits.cpu, 3600.0),
        memory=int(_number(row, "memory_mb", Limits.memory / 2**20, MEMORY_MB) * 2**20),
    )
    if "tests" not in row and "test" in row:
        return name, _humaneval(row, limits)
    program, tests = _text(row, "program"), row.get("tests")
    language = language_of(row)
    if language not in languages:
        raise UserError(f'"language": {language} needs another image; expected --image cpp')
    if is_object(tests) and ("judge" in tests or language != "python"):
        other = job_by_language(tests, program, Conditions(limits, language=language), False)
        if other is not None:
            return name, other
    if is_object(tests) and "check" in tests:
        return name, _checked(program, tests, limits)
    entry, cases = read_tests(tests)
    if entry is not None and language != "python":
        raise UserError(f'"language": a function cannot be called in {language}')
    if is_object(tests):
        program = with_signature(program, tests)
    place = read_in_place(tests)
    return name, Job(program, cases, entry, limits, language=language, in_place=place)


def name_of(line: str | bytes) -> object:
    """The id of a line that may be malformed; None where it says none."""
    try:
        return _name(_read(line))
    except UserError:
        return None


def _read(line: str | bytes) -> dict[str, object]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f"not JSON; expected {_WANTED}") from None
    if not is_object(row):
        raise UserError(f"expected {_WANTED}")
    return row


def _name(row: dict[str, object]) -> object:
    return row["id"] if "id" in row else row.get("task_id")


def _humaneval(row: dict[str, object], limits: Limits) -> Job:
    """A row as HumanEval has it, with what a model wrote."""
    head, entry, check = (_text(row, field) for field in _HUMANEVAL)
    program = complete_function(head, _text(row, "completion"), entry)
    return _checked(program, {"entry_point": entry, "check": check, "head": head}, limits)


def _checked(program: str, tests: dict[str, object], limits: Limits) -> Job:
    wanted = 'of "tests" with a check'
    entry, check = (_text(tests, field, wanted) for field in ("entry_point", "check"))
    if not entry.isidentifier():
        raise UserError(f'"entry_point": expected the name of a function, not {entry!r}')
    if "head" in tests:
        head = complete_function(_text(tests, "head", wanted), "    pass", entry)
        check = f"{head}\n{check}"
    return checked_job(program, entry, check, limits)


def _text(row: dict[str, object], field: str, where: str = "") -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise UserError(" ".join(f'expected a text in "{field}" {where}'.split()))
    return value


def _number(row: dict[str, object], field: str, default: float, most: float) -> float:
    value = row.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise UserError(f'"{field}": expected a number above 0 and at most {most:g}')
    return float(value)
