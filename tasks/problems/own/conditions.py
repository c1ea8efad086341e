"""What a row says of how its programs are judged: checker, limits, tolerance, result in place."""

from __future__ import annotations

import math
import re

from sandbox.checker import is_checker
from tasks.problems.own.columns import Columns
from tasks.problems.own.values import MAX_QUESTION, see_text
from tasks.problems.source import Record
from tasks.rows import Json

MAX_SECONDS = 600.0
MAX_MEMORY_MB = 65_536
# "2 seconds", "256 megabytes"; of other sets "2.5 s", "1024 MB".
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:s|seconds?)?", re.IGNORECASE)
_MEGABYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:mb|mib|megabytes?)?", re.IGNORECASE)


def conditions(record: Record, columns: Columns, reference: Json) -> Json:
    """The fields that a reference gets beside its tests; a column that is empty gives none.

    Raises:
        UserError: Naming the row and the column.
    """
    found: Json = {}
    if (source := _checker(record, columns)) is not None:
        if "check" in reference:
            record.fail(columns.name("checker"), "none beside check(candidate) or asserts")
        found["checker"] = source
    if (seconds := _seconds(record, columns)) is not None:
        found["time_limit"] = seconds
    if (memory := _memory(record, columns)) is not None:
        found["memory_mb"] = memory
    if (error := _value(record, columns, "float_error")) is not None:
        number = _number(error)
        if number is None or not 0 <= number < 1:
            record.fail(columns.name("float_error"), "a number from 0 up to 1")
        found["float_error"] = number
    if (place := _value(record, columns, "in_place")) is not None:
        found["in_place"] = _in_place(record, columns, reference, place)
    return found


def _value(record: Record, columns: Columns, role: str) -> object:
    """What is in the column of a role; None where there is no column or nothing in it."""
    if role not in columns.names:
        return None
    value = record.data.get(columns.name(role))  # type: ignore[arg-type]
    return None if isinstance(value, str) and not value.strip() else value


def _checker(record: Record, columns: Columns) -> str | None:
    source = _value(record, columns, "checker")
    if source is None:
        return None
    if not isinstance(source, str) or not is_checker(source):
        record.fail(columns.name("checker"), "the source of a checker in Python")
    return see_text(record, columns.name("checker"), source, MAX_QUESTION)


def _number(value: object) -> float | None:
    """A finite number, which CSV has as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _measure(value: object, form: re.Pattern[str]) -> float | None:
    if isinstance(value, str) and (match := form.fullmatch(value.strip())):
        return float(match[1])
    return _number(value)


def _seconds(record: Record, columns: Columns) -> float | None:
    given = _value(record, columns, "time_limit")
    if given is None:
        return None
    if isinstance(given, dict):  # a duration of protocol buffers
        parts = [_number(given.get(part) or 0) for part in ("seconds", "nanos")]
        number = None if None in parts else (parts[0] or 0.0) + (parts[1] or 0.0) / 1e9
        if number == 0:  # not known
            return None
    else:
        number = _measure(given, _SECONDS)
    if number is None or not 0 < number <= MAX_SECONDS:
        record.fail(
            columns.name("time_limit"), f"seconds, a number above 0 and at most {MAX_SECONDS:g}"
        )
    return number


def _memory(record: Record, columns: Columns) -> int | None:
    given = _value(record, columns, "memory_limit")
    if given is None:
        return None
    name = columns.name("memory_limit")
    number = _measure(given, _MEGABYTES)
    in_bytes = name.casefold().endswith("bytes")
    if in_bytes and number == 0:  # CodeContests: not known
        return None
    megabytes = None if number is None else number / 2**20 if in_bytes else number
    if megabytes is None or not 1 <= megabytes <= MAX_MEMORY_MB:
        unit = "bytes" if in_bytes else "megabytes"
        record.fail(name, f"memory in {unit}, from 1 MB to {MAX_MEMORY_MB:,} MB")
    return int(megabytes)


def _in_place(record: Record, columns: Columns, reference: Json, place: object) -> int:
    name = columns.name("in_place")
    if "cases" not in reference:
        record.fail(name, "nothing where tests are not calls of a function")
    number = _number(place)
    fewest = min(len(case["args"]) for case in reference["cases"])
    if number is None or number != int(number) or not 0 <= number < fewest:
        record.fail(name, f"the number of an argument, from 0 to {fewest - 1}")
    return int(number)
