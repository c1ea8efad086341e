"""Tests of programs as public sets of contest problems have them, in columns of their own.

- LiveCodeBench: `public_test_cases` and `private_test_cases`, each a list of {"input", "output",
  "testtype"}, as JSON text or as that pickled, packed by zlib and written as base64. Tests of type
  `functional` call the function that `metadata` names as `func_name`; their inputs are values in
  JSON, a line each.
- CodeContests: `public_tests`, `private_tests` and `generated_tests`, each {"input": [...],
  "output": [...]}. Programs that read or write files by name cannot be tested.
- open-r1/codeforces: `official_tests`, a list of {"input", "output"}, and `generated_checker`.

A row that has nothing to be tested by is `Unusable`: it is left out and counted, as these sets are
not the user's to mend.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.problems.own.plain_pickle import NotPlain, read_plain_pickle
from tasks.problems.source import Record
from tasks.rows import Json

# Bytes that packed tests may be unpacked to.
MAX_UNPACKED = 512 * 2**20
_CASES = "a list of objects with 'input' and 'output', or JSON of one"
_SOLUTIONS = "an object with the lists 'language' and 'solution' of one length"
# A language by its number in CodeContests or its name there.
PYTHON3 = (3, "3", "PYTHON3")
_LISTS = "an object with the lists 'input' and 'output' of one length"


class Unusable(Exception):
    """A row that cannot be graded; the message is the reason, the same for all such rows."""


NO_TESTS, FILES = "no tests", "programs that read or write named files"


@dataclass(frozen=True)
class Form:
    """The columns of one public set.

    Attributes:
        tests: Those of its tests; the first one names the form.
        more: Usual names of other roles, which hold for this set alone.
    """

    tests: tuple[str, ...]
    more: dict[str, tuple[str, ...]] = field(default_factory=dict)


LIVECODEBENCH = Form(("public_test_cases", "private_test_cases"), {"entry_point": ("metadata",)})
CODECONTESTS = Form(
    ("public_tests", "private_tests", "generated_tests"),
    {
        "id": ("name",),
        "time_limit": ("time_limit",),
        "memory_limit": ("memory_limit_bytes",),
    },
)
CODEFORCES = Form(
    ("official_tests",),
    {
        "checker": ("generated_checker",),
        "time_limit": ("time_limit",),
        "memory_limit": ("memory_limit",),
    },
)
FORMS = (LIVECODEBENCH, CODECONTESTS, CODEFORCES)


def form_of(names: Sequence[str]) -> Form | None:
    """The form that these columns of tests are of, or None."""
    return next((form for form in FORMS if set(names) <= set(form.tests)), None)


def columns_of_tests(there: Sequence[str]) -> tuple[str, ...]:
    """Those of these columns that hold tests of a public set, or none."""
    for form in FORMS:
        if form.tests[0] in there:
            return tuple(name for name in form.tests if name in there)
    return ()


def contest_tests(record: Record, form: Form, names: Sequence[str], entry: str) -> Json:
    """The reference that all tests of a row make.

    Args:
        record: The row.
        form: Of its tests.
        names: Their columns.
        entry: The function that they call, or "".

    Raises:
        Unusable: there are none, or they cannot be run.
        UserError: Naming the row and the column.
    """
    if form is CODECONTESTS and any(record.data.get(one) for one in ("input_file", "output_file")):
        raise Unusable(FILES)
    read = _lists if form is CODECONTESTS else _cases
    found = [(name, case) for name in names for case in read(record, name)]
    if not found:
        raise Unusable(NO_TESTS)
    kinds = {case.get("testtype", "functional" if entry else "stdin") for _, case in found}
    if kinds == {"functional"}:
        if not entry:
            record.fail("metadata", "the name of the function that the tests call, in 'func_name'")
        return {"entry_point": entry, "cases": [_call(record, *one) for one in found]}
    if kinds != {"stdin"}:
        record.fail(names[0], "tests that are all of type stdin or all functional")
    parts = ("input", "output")
    tests = [{part: _text(record, *one, part) for part in parts} for one in found]
    return {"tests": tests}


def function_name(record: Record, column: str) -> str:
    """The function that `metadata` names, or ""."""
    given = record.data.get(column)
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            record.fail(column, "JSON of an object")
    if given in (None, ""):
        return ""
    name = given.get("func_name") or "" if isinstance(given, dict) else None
    if not isinstance(name, str) or (name and not name.isidentifier()):
        record.fail(column, "an object with the name of a function in 'func_name', or none")
    return name


def _lists(record: Record, name: str) -> list[Json]:
    given = _json(record, name)
    if given is None:
        return []
    if isinstance(given, list):
        return _cases(record, name)
    inputs, outputs = (given.get(one) for one in ("input", "output"))  # type: ignore[union-attr]
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        record.fail(name, _LISTS)
    return [{"input": a, "output": b} for a, b in zip(inputs, outputs, strict=True)]


def _cases(record: Record, name: str) -> list[Json]:
    given = _json(record, name)
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        record.fail(name, _CASES)
    return given


def _json(record: Record, name: str) -> list[Json] | Json | None:
    """What is in a column, unpacked; None for nothing."""
    given = record.data.get(name)
    if isinstance(given, str):
        given = _unpacked(record, name, given) if given.strip() else None
    if given is None:
        return None
    if not isinstance(given, list | dict):
        record.fail(name, _CASES)
    return given


def _unpacked(record: Record, name: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        packed = base64.b64decode(text, validate=True)
        reader = zlib.decompressobj()
        data = reader.decompress(packed, MAX_UNPACKED)
    except (ValueError, zlib.error):
        record.fail(name, _CASES)
    if not reader.eof and not reader.unconsumed_tail:
        record.fail(name, "packed tests that are whole")
    if reader.unconsumed_tail:
        record.fail(name, f"tests of at most {MAX_UNPACKED >> 20} MB")
    try:
        found = read_plain_pickle(data)
        return json.loads(found) if isinstance(found, str) else found
    except NotPlain as error:
        record.fail(name, f"a pickle of plain data, of which {error} is none")
    except (ValueError, RecursionError):
        record.fail(name, _CASES)


def _text(record: Record, name: str, case: Json, part: str) -> str:
    value = case.get(part)
    if not isinstance(value, str):
        record.fail(name, f"a text in '{part}' of each test")
    return value


def _call(record: Record, name: str, case: Json) -> Json:
    """A call; each line of the input is an argument."""
    try:
        lines = _text(record, name, case, "input").split("\n")
        arguments = [json.loads(line) for line in lines if line.strip()]
        return {"args": arguments, "expected": json.loads(_text(record, name, case, "output"))}
    except (ValueError, RecursionError):
        record.fail(name, "values in JSON, a line each, in tests that call a function")


def python_solution(record: Record, column: str) -> str:
    """The first solution in Python 3 of {"language": [...], "solution": [...]}, or ""."""
    given = record.data.get(column)
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            record.fail(column, _SOLUTIONS)
    if not given:
        return ""
    if isinstance(given, list) and all(isinstance(one, dict) for one in given):
        pairs = [(one.get("language"), one.get("solution")) for one in given]
    elif isinstance(given, dict):
        languages, texts = given.get("language"), given.get("solution")
        if not isinstance(languages, list) or not isinstance(texts, list):
            record.fail(column, _SOLUTIONS)
        if len(languages) != len(texts):
            record.fail(column, _SOLUTIONS)
        pairs = list(zip(languages, texts, strict=True))
    else:
        record.fail(column, _SOLUTIONS)
    found = next((text for language, text in pairs if language in PYTHON3), "")
    if not isinstance(found, str):
        record.fail(column, _SOLUTIONS)
    return found
