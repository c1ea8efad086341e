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
    r"^(?:the )?[a-z][a-z ]{1,30}?(?: is| =| was) (\$?-?\$?\d[\d.,/]*\$?|\$[^$]+\$)"
    r"[a-z ]{0,20},? and (?:the )?[a-z][a-z ]{1,30}?(?: is| =| was)"
    r" (\$?-?\$?\d[\d.,/]*?\$?|\$[^$]+\$)(?: [a-z]{1,12})?\.?$",
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
# "C is the correct answer", "Options A and C are both correct"; "Eliminating A and B leaves C".
_CHOICE_IS = re.compile(
    r"^\W*(?:(?:thus|so|hence|therefore|then),? )?(?:options? |choices? )?"
    r"(\(?[A-J]\)?(?:, (?:and )?\(?[A-J]\)?| and \(?[A-J]\)?)*)\W*"
    r" (?:is|are|must be) (?:both |all )?(?:the )?(?:best |only )?"
    r"(?:correct|right|best|answer|(?<=only )(?:option|choice|one))\b(?! if| only)",
    re.IGNORECASE,
)
# "Only C matches."
_ONLY_CHOICE = re.compile(
    r"\bonly (?:option |choice )?\(?([A-J])\)? (?:matches|works|fits|remains|holds|satisfies|agrees"
    r"|is (?:correct|right|true|consistent|left))\b",
    re.IGNORECASE,
)
# "Checking them all shows that D holds."
_SHOWN_CHOICE = re.compile(
    r"\bthat (?:option |choice )?\(?([A-J])\)?"
    r" (?:holds|works|matches|fits|is (?:true|correct|right))\W*$"
)
# "I would not go with option B".
_REJECTED = re.compile(r"\b(?:not|never|cannot|avoid|against)\b[^,;]*$|n't\b[^,;]*$", re.IGNORECASE)
# "The second option is correct."
_BY_ORDER = re.compile(
    r"^\W*(?:(?:thus|so|hence|therefore|then),? )?(?:the )?(first|second|third|fourth|fifth) "
    r"(?:option|choice|answer|statement)(?:,? is (?:the )?(?:correct|right)(?: one| answer)?)?\W*$",
    re.IGNORECASE,
)
_ORDER = ("first", "second", "third", "fourth", "fifth")
# "The statement is true."
_TRUTH = re.compile(
    r"^\W*(?:(?:thus|so|hence|therefore),? )?(?:(?:the|this|that) (?:given |above )?"
    r"(?:statement|claim|proposition|assertion|conjecture|hypothesis)|this|that|it) is"
    r" (true|false|not true|not false|not correct)\W*$",
    re.IGNORECASE,
)
_SO_FIRST = re.compile(r"^(?:so|thus|hence|therefore),? ", re.IGNORECASE)
_DENIED_TRUTH = {"not true": "False", "not correct": "False", "not false": "True"}
# "B. Incorrect. C. Correct.": each choice judged on its own.
_JUDGED = re.compile(
    r"(?:^|(?<=\s))\W*([A-J])[).:]\W*(?:(correct|right)|incorrect|wrong)\b[^\n]{0,200}$",
    re.IGNORECASE | re.MULTILINE,
)
_CHOICE_LAST = re.compile(
    r"\b(?:so|thus|hence|therefore|leaves?|leaving|pick|choose|select|with|definitely|clearly|likely"
    r"|(?:think|believe|say) (?:that )?(?:it's|it is))\W+"
    r"(?:(?:it is|it's|it must be|only|with|option|choice)\s+)*\(?([A-J])\)?\W*$",
    re.IGNORECASE,
)
# "5 is the answer"; "Yes, it is possible."
_IS_THE_ANSWER = re.compile(
    r"^(\S{1,40}) is (?:the|my) (?:final |correct |only )?(?:answer|solution)\.?$"
)
_VERDICT = re.compile(
    r"^(?:(?:so|thus|hence|therefore),? )?(?:yes|no|true|false)[,.;:] .{1,100}$", re.IGNORECASE
)
# "(1) 3": a part of an answer; not a step that was computed.
_PART = re.compile(
    r"^\(([1-9a-f])\)\s+\$?(?:[A-Za-z]\w{0,3} ?= ?)?(?=[^=]*$)(?=[^=]*\d)[^=A-Z]{1,60}$"
)
_MAX_PARTS = 600
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
    if line[:1] in "YyNnTtFfSsHh" and _VERDICT.match(line):
        return _SO_FIRST.sub("", line)
    if " is " in line and (truth := _TRUTH.match(line)):
        return _DENIED_TRUTH.get(truth[1].casefold(), truth[1])
    return _choice(line)


def numbered_lines(text: str) -> str:
    """The last lines where they are the parts "(1) 3", "(2) 5" of an answer, on one line."""
    found: list[str] = []
    for line in reversed(text[-_MAX_PARTS:].strip().split("\n")):
        if not line.strip():
            continue
        part = _PART.match(line.strip())
        if part is None:
            break
        found.insert(0, line.strip().rstrip(".;,"))
        if part[1] in "1a" and len(found) > 1:
            return "; ".join(found)
    return ""


def judged_choices(text: str) -> str:
    """The choices that are called right where the last lines judge each on its own."""
    judged = [*_JUDGED.finditer(text)]
    if len(judged) < 2 or text[judged[-1].end() :].strip():
        return ""
    return ", ".join(f"({one[1]})" for one in judged if one[2])


def _two_values(line: str) -> str:
    if both := _TWO_CLAUSES.match(line):
        return f"{both[1]}, {both[2]}"
    two = _TWO_THINGS.match(line)
    if two is None or any(noun.strip().casefold() in UNITS for noun in (two[2], two[4])):
        return ""
    return f"{two[1]}, {two[3]}"


def _choice(line: str) -> str:
    chosen = None
    if any(word in line for word in ("correct", "right", "best", "answer", "only")):
        chosen = _CHOICE_IS.match(line) or _CHOICE_IS.match(line.rpartition(", but ")[2])
    if by_order := _BY_ORDER.match(line) if "th" in line or "ir" in line or "sec" in line else None:
        return f"({'ABCDE'[_ORDER.index(by_order[1].casefold())]})"
    if chosen is None and "nly " in line:
        chosen = _ONLY_CHOICE.search(line)
    if chosen is None and " that " in line:
        chosen = _SHOWN_CHOICE.search(line)
    if chosen is None and line.rstrip(" .)*!$")[-1:] in _LETTERS:
        chosen = _CHOICE_LAST.search(line[-_NEAR_END:])
    if not chosen or _REJECTED.search(line[: line.rfind(chosen[1])]):
        return ""
    letters = re.findall(r"[A-J]", chosen[1]) if len(chosen[1]) > 3 else [chosen[1].strip("()")]
    return ", ".join(f"({letter.upper()})" for letter in letters)
