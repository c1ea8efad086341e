"""Final lines whose shape says what the answer is: two values in one line, a choice in a sentence.

Each rule looks for a sign of its own first: most lines have none.
"""

from __future__ import annotations

import re

from tasks.score.math.parse.changing import BOUNDED
from tasks.score.math.parse.spoken import spoken_whole
from tasks.score.math.parse.units import UNITS

# "the minimum is 2 and the maximum is 9" are both.
_TWO_CLAUSES = re.compile(
    r"^(?:the )?[a-z][a-z ]{1,30}?(?: is| =| was) (\$?-?\$?\d[\d.,/]*\$?)[a-z ]{0,20},? and"
    r" (?:the )?[a-z][a-z ]{1,30}?(?: is| =| was) (\$?-?\$?\d[\d.,/]*?\$?)(?: [a-z]{1,12})?\.?$",
    re.IGNORECASE,
)
# "Length: 12 cm, Width: 15 cm": labels, and no sentence.
_LABELLED = re.compile(
    r"^(?:[A-Z][A-Za-z ]{1,25}\d{0,2}: -?\$?\d[^,:]{0,25}(?:, (?:and )?|$)){2,9}$"
)
# "b) 4"; "D. All of the above".
_LED_BY_LETTER = re.compile(
    r"^\(?([a-e])[).] (\S.{0,100})$|^\(?([A-E])[).] ([A-Z][A-Za-z ]{3,60})\.?$"
)
# "4 red marbles and 7 blue ones".
_TWO_THINGS = re.compile(
    r"^(?:(?:length|width|height|base) )?(-?\$?\d[\d.,]*+)((?: [A-Za-z]+){1,3}),? and"
    r" (?:(?:length|width|height|base) )?(-?\$?\d[\d.,]*+)((?: [A-Za-z]+){0,3})\.?$"
)
_LETTER_ALONE = re.compile(r"^\(?([A-Ja-j])\)$|^([A-J]),$")
# "C is the correct answer"; "Eliminating A and B leaves C".
_CHOICE_IS = re.compile(
    r"^\W*(?:(?:thus|so|hence|therefore|then),? )?(?:option |choice )?\(?([A-J])\)?\W*"
    r" (?:is|must be) (?:the )?(?:best |only )?(?:correct|right|best|answer)\b(?! if| only)",
    re.IGNORECASE,
)
_CHOICE_LAST = re.compile(
    r"\b(?:so|thus|hence|therefore|leaves?|pick|choose|select|with|definitely|clearly|likely"
    r"|(?:think|believe|say) (?:that )?(?:it's|it is))\W+"
    r"(?:(?:it is|it's|it must be|only|with|option|choice)\s+)*\(?([A-J])\)?\W*$",
    re.IGNORECASE,
)
# "5 is the answer"; "Yes, it is possible."
_IS_THE_ANSWER = re.compile(
    r"^(\S{1,40}) is (?:the|my) (?:final |correct |only )?(?:answer|solution)\.?$"
)
_VERDICT = re.compile(r"^(?:yes|no|true|false)[,.;:] .{1,100}$", re.IGNORECASE)
# A choice that a sentence ends with is named in its last words.
_NEAR_END = 100
_LETTERS = frozenset("ABCDEFGHIJ")


def stated_by_shape(line: str) -> str:
    """What a final line says by its shape, or nothing."""
    if spoken_whole(line) or (": " in line and _LABELLED.match(line)):
        return line
    if (" than " in line or " at " in line) and BOUNDED.match(line):
        return line
    if " and " in line and (two := _two_values(line)):
        return two
    marked = line[1:2] in (")", ".") or line[:1] == "("
    if marked and (led := _LED_BY_LETTER.match(line)):
        letter, rest = (led[1], led[2]) if led[1] else (led[3], led[4])
        return f"({letter.upper()}) {rest}"
    if len(line) < 4 and (alone := _LETTER_ALONE.match(line)):
        return f"({next(filter(None, alone.groups())).upper()})"
    if is_answer := _IS_THE_ANSWER.match(line):
        return is_answer[1]
    if line[:1] in "YyNnTtFf" and _VERDICT.match(line):
        return line
    return _choice(line)


def _two_values(line: str) -> str:
    if both := _TWO_CLAUSES.match(line):
        return f"{both[1]}, {both[2]}"
    two = _TWO_THINGS.match(line)
    if two is None or any(noun.strip().casefold() in UNITS for noun in (two[2], two[4])):
        return ""
    return f"{two[1]}, {two[3]}"


def _choice(line: str) -> str:
    chosen = None
    if any(word in line for word in ("correct", "right", "best", "answer")):
        chosen = _CHOICE_IS.match(line)
    if chosen is None and line.rstrip(" .)*!$")[-1:] in _LETTERS:
        chosen = _CHOICE_LAST.search(line[-_NEAR_END:])
    return f"({chosen[1].upper()})" if chosen else ""
