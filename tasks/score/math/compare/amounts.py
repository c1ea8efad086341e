r"""Whether two quantities are the same: numbers, units, percents, decimals, expressions.

True, False, or None where only symbolic work can tell.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from fractions import Fraction

from tasks.score.math.parse.normalize import key
from tasks.score.math.parse.shapes import Form
from tasks.score.math.parse.syntax import Tree, read
from tasks.score.math.parse.units import convert
from tasks.score.math.parse.values import differ, exact, rounds_to

# Compares two expressions, equations `(l)=(r)` or inequalities `(l)<(r)`; raises Refused over
# a limit.
Symbolic = Callable[[str, str], bool | None]

_PLAIN = re.compile(r"^[-+]?\$?(?!0,)(\d{1,3}(?:,\d{3})++|\d++)(?:\.(\d*+))?$")
_WORDY = re.compile(r"[^\W\d_]{4,}|\b(?:not|but|or|no|of|if|is|so)\b|[\u3040-\u9fff\uac00-\ud7af]")
_INEQUALITY = re.compile(r"[<>]|\\(?:le|ge|ne)(?![A-Za-z])")
_MATHEMATICAL = re.compile(r"[\d\\^_+*/=<>|]")
_COMMA = re.compile(r"^(-?(?:\d{1,9},(?!\d{3}(?!\d))\d{1,9}|0,\d{1,9}))(?=$|\s*[€$£%°]|\s[A-Za-z])")
_FRACTION = re.compile(r"^-?(?:\d{1,9}/\d{1,9}|\\[dt]?frac\{?\d{1,9}\}?\{?\d{1,9}\}?)$")
# A decimal of so many places and digits that rounds an exact value is that value: six places are
# what the field's graders ask for, and what no other short answer hits by chance.
ROUNDED_PLACES = 6
_ROUNDED = re.compile(rf"^-?\d*\.\d{{{ROUNDED_PLACES},40}}$")


def plain_number(text: str) -> str | None:
    """A decimal in its shortest spelling, by text alone, so that its length does not matter."""
    text = text.strip()
    match = _PLAIN.match(text)
    if not match or not text.isascii():
        return None
    whole = match.group(1).replace(",", "").lstrip("0")
    part = (match.group(2) or "").rstrip("0")
    sign = "-" if text[0] == "-" and (whole or part) else ""
    return f"{sign}{whole or '0'}.{part}"


def decimal_comma(text: str, other: str) -> str:
    """1,5 as 1.5 where the other side is one decimal or fraction, so that no list of two is meant.

    Three digits after the comma are thousands, unless a zero stands before it.
    """
    number = plain_number(other)
    decimal = "." in number.removesuffix(".") if number else _FRACTION.match(other)
    if not decimal or not _COMMA.match(text):
        return text
    return text.replace(",", ".", 1)


def _radians(a: Form, b: Form) -> tuple[str, str]:
    """An angle in degrees against one in terms of pi, both in radians."""
    for one, other in ((a, b), (b, a)):
        if one.unit == "degree" and not other.unit and r"\pi" in other.text:
            return f"({one.text})*\\pi/180", other.text
    return a.text, b.text


def same_quantity(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    """Whether two quantities are the same; a unit may be missing on one side."""
    if a.unit and b.unit and a.unit.partition("^")[0] != b.unit.partition("^")[0]:
        scale = convert(a.unit, b.unit)
        if scale is None or a.percent or b.percent:
            return False
        return _same_value(f"({a.text})*{scale.numerator}/{scale.denominator}", b.text, symbolic)
    if a.unit.startswith("base") or b.unit.startswith("base"):
        return key(a.text).upper() == key(b.text).upper()  # digits: 1A7 is no product
    if (a.percent and b.unit) or (b.percent and a.unit):
        return False
    if a.percent == b.percent or not (a.text and b.text):
        return _same_value(*_radians(a, b), symbolic)
    percent, other = (a, b) if a.percent else (b, a)
    as_number = _same_value(percent.text, other.text, symbolic)
    if as_number is not False:
        return as_number
    return _same_value(f"({percent.text})/100", other.text, symbolic)


def _same_value(a: str, b: str, symbolic: Symbolic | None) -> bool | None:
    if key(a) == key(b):
        return True
    if bool(_INEQUALITY.search(a)) is not bool(_INEQUALITY.search(b)):
        return False
    left, right = tree_of(a), tree_of(b)
    if left is None or right is None:
        if not _worth_parsing(a) or not _worth_parsing(b):
            return False
        return None if symbolic is None else symbolic(a, b)
    x, y = _exact(a), _exact(b)
    if _rounded(a, b, right) or _rounded(b, a, left):
        return True
    if x is not None and y is not None:
        return x == y
    if differ(left, right):
        return False
    return None if symbolic is None else symbolic(a, b)


def _rounded(decimal: str, other: str, value: Tree) -> bool:
    """Whether a long decimal is a value that is itself no decimal, rounded or cut off."""
    if not _ROUNDED.match(decimal) or plain_number(other) is not None:
        return False
    digits = decimal.lstrip("-0.").replace(".", "")
    return len(digits) >= ROUNDED_PLACES and rounds_to(decimal, value)


# A reference is compared with many predictions, and a part of a set with many others.
@functools.lru_cache(maxsize=4096)
def tree_of(text: str) -> Tree | None:
    """The tree of an expression; a plain number is read whatever its length up to the limits."""
    number = plain_number(text)
    if number is not None and len(number) < 40:
        return ("num", Fraction(number if not number.endswith(".") else number[:-1]))
    return read(text)


@functools.lru_cache(maxsize=4096)
def _exact(text: str) -> Fraction | None:
    tree = tree_of(text)
    return None if tree is None else exact(tree)


def _worth_parsing(text: str) -> bool:
    """Whether a text that our reader does not know may still be mathematics."""
    return bool(_MATHEMATICAL.search(text)) and not _WORDY.search(re.sub(r"\\[A-Za-z]+", "", text))
