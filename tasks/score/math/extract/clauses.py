"""What is said after a value and does not change it: reasons, denials of others, asides, points.

"12, not 13", "32, which is a power of 2", "11 when x = 3", "18 (eighteen)", "5, since 2 + 3 = 5".
A clause that doubts or denies the value itself stays, so that what is left equals nothing.
"""

from __future__ import annotations

import re
from fractions import Fraction

from tasks.score.math.limits import MAX_LINE
from tasks.score.math.parse.spoken import spoken_whole
from tasks.score.math.parse.units import UNITS, convert

REASON = re.compile(
    r",?\s+\(?(?:since|because|as (?:required|desired|above|claimed|needed|expected))\b", re.I
)
# "9, not 8"; "$-3$ (not $3$)"; "not 8 but 9"; "8? No, 9".
_DENIAL = re.compile(
    r"(?<=[\w$)}%]),? \(?(?:and )?(?:not|rather than|instead of) \$?(?=-?[\d\\.(]|\$)[^\s,;]{1,40}"
    r"(?: [a-z/]{1,15})?$"
    r"|(?<=[\d$)}%]) \([^()]*\b(?:rejected|extraneous|discarded|dismissed)\b[^()]*\)?$"
    r"|^not \S{1,20} but (?=\S)|^[^?]{1,20}\? No,? (?=\S)"
)
# "11 when x = 3": where a value is reached, after it.
_ATTAINED = re.compile(
    r"(?<=[\d$}\w]),? \(?(?:attained |achieved |reached |obtained )?(?:at|when|for|if|where) "
    r"\$?[a-z] ?= ?[^=,]{1,30}$"
)
# "18 (eighteen)", "1.5 hours (90 minutes)": what is in brackets says it once more.
_ASIDE = re.compile(
    r"(?<=[\d$}])((?: [A-Za-z]{3,12}){0,3}) \((?![^()]*\b(?:or|if|maybe|perhaps|possibly|not|but"
    r"|mod|base|about|approx\w*|where|for|with|remainder)\b)[^()\\]*[A-Za-z]{3,}[^()\\]*\)\.?$",
    re.IGNORECASE,
)
# "32, which is a power of 2": only after a value that is one in itself.
_RELATIVE = re.compile(
    r"^(\$?-?\$?\d++(?:[.,/]\d++)*+%?\$?(?: [a-z]{3,12}){0,2}|\$[^$]{1,60}\$|\\[a-z]+\{[^,]{1,60}"
    r"|\([^()]{1,40}\)), (?:which|as) (?!.*\b"
    r"(?:not|wrong|incorrect|impossible|contradict\w*|false|never|absurd|invalid|cannot|too|exceeds"
    r"|should|would|rounds?)\b|.*n't\b)"
)
# "99 (ninety-nine) students".
_SPELLED = re.compile(r"(?<![\d.,])(\d[\d,]*) \(([a-z][a-z -]{2,60})\)")
# "1.5 hours, or 90 minutes".
_TWICE = re.compile(
    r"(?<![\d.,/])(\d{1,9}(?:\.\d{1,6})?) ([a-z]{1,12}),? or"
    r" (\d{1,9}(?:\.\d{1,6})?) ([a-z]{1,12})(?=\W*$)"
)
# "a total of 15 items: 10 shirts and 5 hats".
_TOTAL = re.compile(
    r"(?<![\d.,])(\d{1,9})(?: [A-Za-z]+){1,3}: ((?:\d{1,9} [A-Za-z ]+(?:, |,? and |\.?$)){2,6})$"
)
# "No apples are left, i.e. 0": what is said once more.
_RESTATED = re.compile(
    r"^.*(?:,|\() ?(?:i\.e\.|that is|namely|equivalently),? (?=[^,]*\d)|^.*, ?即(?=-?\$?\d)"
)


def restated(line: str) -> str:
    """What a line says in other words, where that has a number."""
    return (
        _RESTATED.sub("", line)
        if any(sign in line for sign in ("i.e", "that is", "ly", "即"))
        else line
    )


def said_twice(text: str) -> str:
    r"""`1.5 hours, or 90 minutes` as one amount in two units, `a \approx b`; "" for others."""
    twice = _TWICE.search(text)
    if twice is None:
        return ""
    one, other = (UNITS.get(twice[at], "") for at in (2, 4))
    scale = convert(one, other) if one and other and one != other else None
    same = scale is not None and Fraction(twice[1]) * scale == Fraction(twice[3])
    return rf"{twice[1]} {twice[2]} \approx {twice[3]} {twice[4]}" if same else ""


def without_parts(line: str) -> str:
    """`15 items: 10 shirts and 5 hats` without what the number is the sum of."""
    total = _TOTAL.search(line)
    if total is None:
        return line
    parts = sum(int(part) for part in re.findall(r"\d+", total[2]))
    return line[: total.start(2)].rstrip(" :") if parts == int(total[1]) else line


def without_others(line: str) -> str:
    """A line without the value that it denies."""
    signs = any(sign in line for sign in ("not", "rather", "instead", "?", "ed", "ous"))
    return _DENIAL.sub("", line) if signs else line


def without_point(line: str) -> str:
    """A line without the place where its value is reached."""
    return _ATTAINED.sub("", line)


def without_aside(line: str) -> str:
    """A line without the brackets at its end that say its number once more."""
    if "(" in line and (spelled := _SPELLED.search(line)):
        once = spelled[1].replace(",", "") == spoken_whole(spelled[2])
        line = line[: spelled.end(1)] + line[spelled.end() :] if once else line
    return _ASIDE.sub(r"\1", line) if line.endswith((")", ").")) and len(line) < MAX_LINE else line


def without_relative(line: str) -> str:
    """A line up to the clause that tells more about its value."""
    told = _RELATIVE.match(line) if ", which" in line or ", as " in line else None
    return told[1] if told else line
