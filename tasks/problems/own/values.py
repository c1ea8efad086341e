"""What stands in a column, as the text that a problem is made of, or one line on why it cannot be.

Numbers are taken as their plain text, since many files have answers as such. Nothing else is:
what a truth value, a date or several answers would mean for a checker is for the user to say.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NoReturn

from tasks.errors import UserError
from tasks.problems.source import Record

# Characters. No model reads a longer prompt, and no answer of a checker is longer.
MAX_QUESTION = 1_000_000
MAX_ANSWER = 100_000
MAX_NAME = 1_000
# Whole numbers below are written without an exponent.
_PLAIN = 10**15


def text_of(record: Record, field: str, limit: int, *, needed: bool = True) -> str:
    """The text in a column, without blanks around it.

    Args:
        record: The row.
        field: The column.
        limit: Most characters.
        needed: Whether it may be empty or absent.

    Raises:
        UserError: Naming the row and the column.
    """
    value = record.data.get(field)
    text = plain_text(value)
    if value is not None and text is None:
        record.fail(field, "text" if needed else "text or nothing")
    text = see_text(record, field, (text or "").strip(), limit)
    if needed and not text:
        record.fail(field, "text that is not empty")
    return text


def answer_of(record: Record, field: str) -> str:
    """The right answer: a text, a number, or a list with one of these."""
    value = record.data.get(field)
    if isinstance(value, list):
        if len(value) != 1:
            record.fail(field, f"one answer, where this is a list of {len(value)}")
        value = value[0]
    if value is None:
        record.fail(field, "an answer")
    if isinstance(value, float) and not math.isfinite(value):
        record.fail(field, "a finite number or a text")
    text = plain_text(value)
    if text is None:
        record.fail(field, "a text or a number")
    text = see_text(record, field, text.strip(), MAX_ANSWER)
    if not text or text.casefold() in ("nan", "null"):  # as programs write what they have not
        record.fail(field, "an answer")
    return text


def plain_text(value: object) -> str | None:
    """A text, or a number as its plain text; None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value == int(value) and abs(value) < _PLAIN else repr(value)
    if isinstance(value, Decimal) and value.is_finite():
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return None


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # more digits than Python writes
        return None


def see_text(record: Record, field: str, text: str, limit: int) -> str:
    """The text, where Parquet and tokenizers can hold it.

    Raises:
        UserError: It is too long, or has NUL or half a character in it.
    """
    if len(text) > limit:
        _refuse(record, field, f"at most {limit:,} characters, not {len(text):,}")
    if "\0" in text:
        _refuse(record, field, f"text without NUL, which is at character {text.index(chr(0)) + 1}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        _refuse(record, field, f"Unicode text, not a half of a pair at character {error.start + 1}")
    return text


def _refuse(record: Record, field: str, expected: str) -> NoReturn:
    """Like `Record.fail`, for values that say nothing in a message."""
    raise UserError(f"{record.place}: {record.column} {field!r}: expected {expected}")
