"""What is said after a value and does not change it: reasons, denials of others, asides, points.

"12, not 13", "32, which is a power of 2", "11 when x = 3", "18 (eighteen)", "5, since 2 + 3 = 5".
A clause that doubts or denies the value itself stays, so that what is left equals nothing.
"""

from __future__ import annotations

import re

from tasks.score.math.limits import MAX_LINE

REASON = re.compile(
    r",?\s+\(?(?:since|because|as (?:required|desired|above|claimed|needed|expected))\b", re.I
)
# "9, not 8"; "$-3$ (not $3$)"; "not 8 but 9"; "8? No, 9".
_DENIAL = re.compile(
    r"(?<=[\d$)}%]),? \(?(?:and )?(?:not|rather than|instead of) \$?(?=-?[\d\\.(]|\$)[^\s,;]{1,40}$"
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
    r"^(\$?-?\$?\d++(?:[.,/]\d++)*+%?\$?(?: [a-z]{3,12}){0,2}|\$[^$]{1,60}\$), (?:which|as) (?!.*\b"
    r"(?:not|wrong|incorrect|impossible|contradict\w*|false|never|absurd|invalid|cannot|too|exceeds"
    r"|should|would|rounds?)\b|.*n't\b)"
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


def without_others(line: str) -> str:
    """A line without the value that it denies."""
    signs = any(sign in line for sign in ("not", "rather", "instead", "?"))
    return _DENIAL.sub("", line) if signs else line


def without_point(line: str) -> str:
    """A line without the place where its value is reached."""
    return _ATTAINED.sub("", line)


def without_aside(line: str) -> str:
    """A line without the brackets at its end that say its number once more."""
    return _ASIDE.sub(r"\1", line) if line.endswith((")", ").")) and len(line) < MAX_LINE else line


def without_relative(line: str) -> str:
    """A line up to the clause that tells more about its value."""
    told = _RELATIVE.match(line) if ", which" in line or ", as " in line else None
    return told[1] if told else line
