"""Amounts in two units, and bounds in words."""

from __future__ import annotations

import re

from tasks.score.math.parse.shapes import Form, Kind
from tasks.score.math.parse.units import UNITS, convert

# "9 dollars and 50 cents", "3 hours 20 minutes".
TWO_UNITS = re.compile(r"^(\d{1,9}) ([a-z]{1,8}),?(?: and)? (\d{1,9}) ([a-z]{1,8})$")


def in_one_unit(match: re.Match[str]) -> Form | None:
    """Two amounts of units that convert, in the first one."""
    one, other = (UNITS.get(match[at], "") for at in (2, 4))
    scale = convert(other, one) if one and other and one != other else None
    if scale is None or scale >= 1:
        return None
    text = rf"{match[1]}+\frac{{{int(match[3]) * scale.numerator}}}{{{scale.denominator}}}"
    return Form(Kind.QUANTITY, text, (), one)


def sign_of(words: str) -> str:
    """The sign that words for a bound stand for."""
    lower = words.startswith(("at least", "no less", "greater", "more", "larger"))
    closed = words.startswith(("at ", "no ")) or words.endswith("equal to")
    return (r"\ge" if closed else ">") if lower else (r"\le" if closed else "<")
