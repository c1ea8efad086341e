"""The shape of an answer: a quantity, a tuple, an interval, a set, a list, a matrix, an equation.

Policy, the same whichever side is the reference:
- A unit, a money sign or a base index may be missing on one side; two different ones are a
  difference. 50% is 50 or 1/2 where the other side has no percent sign, else percents compare.
- (a, b) is ordered and its brackets count: (1, 2) is not [1, 2]. A bare list `1, 2` and a set
  {1, 2} are unordered. `a ± b` is the list of both. A matrix is compared entry by entry,
  whatever its brackets.
- `x = 5` is `5` where the left side is one name (x, f(x)); `2 + 3 = 5` is `5`; two equations are
  the same if one side minus the other is, up to a constant factor.
- Decimals are exact: 0.333 is not 1/3.

Not covered: inequalities against intervals, conversion of units, base conversion, times of day.
"""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass

from tasks.filter.normalize import key
from tasks.filter.syntax import MAX_DEPTH, Refused

MAX_FORM = 1000  # characters; the longest gold answer of MATH has 160
MAX_PARTS = 64  # entries of a list or matrix; unordered ones are matched pair by pair


class Kind(enum.Enum):
    """What an answer is made of."""

    QUANTITY = "quantity"  # an expression, a number with a unit, or words
    LIST = "list"  # unordered, bare: 1, 2
    SET = "set"  # unordered: {1, 2}
    GROUP = "group"  # ordered, with brackets: a tuple or an interval; or a ratio a : b
    UNION = "union"
    MATRIX = "matrix"
    EQUATION = "equation"


@dataclass(frozen=True)
class Form:
    """One answer taken apart; `text` is the expression of a quantity, else brackets or shape."""

    kind: Kind
    text: str
    parts: tuple[Form, ...] = ()
    unit: str = ""
    percent: bool = False


_UNITS: dict[str, str] = {
    alias: name
    for name, aliases in {
        "cent": "cent cents ¢", "dollar": "dollar dollars usd $", "euro": "euro euros €",
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "m meter meters metre metres", "km": "km kilometer kilometers kilometre kilometres",
        "inch": "in inch inches", "foot": "ft foot feet", "yard": "yd yard yards",
        "mile": "mi mile miles", "mph": "mph", "gram": "g gram grams",
        "kg": "kg kilogram kilograms", "ounce": "oz ounce ounces", "pound": "lb lbs pound pounds",
        "ml": "ml milliliter milliliters", "liter": "l liter liters litre litres",
        "second": "s sec secs second seconds", "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours", "day": "day days", "week": "week weeks",
        "month": "month months", "year": "year years", "degree": "° degree degrees",
        "radian": "rad radian radians", "am": "am a.m a.m.", "pm": "pm p.m p.m.",
    }.items()
    for alias in aliases.split()
}  # fmt: skip
_WORDS = {
    word: str(number)
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve"]
    )
}  # fmt: skip
# Loosest first.
_SEPARATORS = (
    (",", Kind.LIST), (r"\cup", Kind.UNION), ("=", Kind.EQUATION), (":", Kind.GROUP),
)  # fmt: skip
_PIECE = re.compile(r"\\(?:begin|end)\s*\{[a-z]*\*?\}|\\[{}]|\\[A-Za-z]+|\\\\|.", re.DOTALL)
_JOIN = re.compile(r",?\s*\\text\{\s*,?\s*(?:and|or)\s*\}\s*|,?\s+(?:and|or)\s+")
_MATRIX = re.compile(r"\\begin\{([pbvB]?matrix|array)\}(?:\{[^{}]*\})?(.*)\\end\{\1\}", re.DOTALL)
_WHOLE_TEXT = re.compile(r"^\\text\{([^{}]*)\}$")
_MEMBER = re.compile(r"^[A-Za-z]\s*\\in(?![A-Za-z])\s*")
_NAME = re.compile(
    r"^(?:[A-Za-z]|\\[a-z]+)(?:_\{?\w\}?)?'?(?:\([a-z](?:,[a-z])*\))?$|^\\text\{[^{}]*\}$"
)
# \sin 30° has an angle inside; 30° alone has a unit.
_FUNCTION = re.compile(r"\\?(?:sin|cos|tan|cot|sec|csc)")
_SEGMENT = re.compile(r"^\\?(?:angle|overline|triangle)?\s*\{?[A-Z]{1,3}\}?$|^[A-Za-z ]{3,30}$")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SPACED_THOUSANDS = re.compile(r"^-?\d{1,3}(?: \d{3})+(?:\.\d+)?$")
_MIXED = re.compile(r"^(-?)(\d{1,9}) (\d{1,9})/(\d{1,9})$")
_SCIENTIFIC = re.compile(r"^(-?\d{1,40}(?:\.\d{1,40})?)[eE]([+-]?\d{1,3})$")
_BASE = re.compile(r"^([0-9A-Z]{1,60})_\{?(\d{1,2})\}?$")
_TEXT_UNIT = re.compile(r"^(.*[^\s])\s*\\text\{([^{}]*)\}(?:\^\{?\d\}?)?$", re.DOTALL)
_BARE_UNIT = re.compile(
    r"^(-?\$?\d[\d.,/]*+(?: \d+/\d+)?)\s*([A-Za-z][A-Za-z.'/ -]*)(?:\^\{?\d\}?)?$"
)


@functools.lru_cache(maxsize=4096)
def read_form(text: str) -> Form:
    """Take a canonical answer apart.

    Raises:
        Refused: nested deeper or with more parts than the limits.
    """
    if len(text) > MAX_FORM:
        raise Refused(f"longer than {MAX_FORM} characters")
    return _form(text, 0)


def _form(text: str, depth: int) -> Form:
    if depth > MAX_DEPTH:
        raise Refused(f"nested deeper than {MAX_DEPTH}")
    text = _MEMBER.sub("", text.strip())
    if text.startswith(r"\approx"):
        text = text[len(r"\approx") :].lstrip()
    matrix = _MATRIX.fullmatch(text)
    if matrix and r"\begin" not in matrix.group(2):
        return _matrix(matrix.group(2), depth)
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    for separator, kind in _SEPARATORS:
        if separator == ",":
            joined = _JOIN.sub(",", text)
            pieces = split(joined, ",") if "," in joined else [text]
        else:
            pieces = split(text, separator) if separator in text else [text]
        if len(pieces) > 1:
            if kind is Kind.EQUATION and len(pieces) > 2:
                pieces = [pieces[0], pieces[-1]]
            return Form(kind, separator, _parts(pieces, depth))
    if (whole := _WHOLE_TEXT.match(text)) and any(c.isdigit() for c in whole.group(1)):
        return _form(whole.group(1), depth + 1)
    bracketed = _bracketed(text, depth)
    if bracketed:
        return bracketed
    if text.count(r"\pm") == 1:
        both = (text.replace(r"\pm", "+"), text.replace(r"\pm", "-"))
        return Form(Kind.LIST, ",", tuple(_form(one, depth + 1) for one in both))
    return _quantity(text)


def split(text: str, separator: str) -> list[str]:
    """Split at a separator outside all brackets; half-open intervals count as brackets."""
    pieces, piece, level = [], [], 0
    for token in _PIECE.findall(text):
        if token == separator and level <= 0:
            pieces.append("".join(piece).strip())
            piece = []
            continue
        if token in ("(", "[", "{", r"\{") or token.startswith(r"\begin"):
            level += 1
        elif token in (")", "]", "}", r"\}") or token.startswith(r"\end"):
            level -= 1
        piece.append(token)
    pieces.append("".join(piece).strip())
    return pieces


def _parts(pieces: list[str], depth: int) -> tuple[Form, ...]:
    if len(pieces) > MAX_PARTS:
        raise Refused(f"more than {MAX_PARTS} parts")
    return tuple(_form(piece, depth + 1) for piece in pieces)


def _bracketed(text: str, depth: int) -> Form | None:
    """A set, tuple or interval; redundant brackets around one thing are dropped."""
    if text.startswith(r"\{") and text.endswith(r"\}") and _closes_last(text):
        inner = text[2:-2].strip()
        return Form(Kind.SET, "{}", _parts(split(inner, ","), depth) if inner else ())
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and _closes_last(text):
        pieces = split(text[1:-1], ",")
        if len(pieces) > 1:
            return Form(Kind.GROUP, text[0] + text[-1], _parts(pieces, depth))
        if text[0] == "(" and text[-1] == ")":
            return _form(text[1:-1], depth + 1)
    if text.startswith(r"\text{(") and text.endswith(")}"):
        return _form(text[7:-2], depth + 1)
    return None


def _closes_last(text: str) -> bool:
    """Whether the bracket that opens a text is the one that its last character closes."""
    level = 0
    tokens = _PIECE.findall(text)
    for position, token in enumerate(tokens):
        if token in ("(", "[", "{", r"\{"):
            level += 1
        elif token in (")", "]", "}", r"\}"):
            level -= 1
            if level == 0:
                return position == len(tokens) - 1
    return False


def _matrix(body: str, depth: int) -> Form:
    rows = [row for row in body.split(r"\\") if row.strip()]
    cells = [row.split("&") for row in rows]
    shape = ",".join(str(len(row)) for row in cells)
    return Form(Kind.MATRIX, shape, _parts([cell.strip() for row in cells for cell in row], depth))


def _quantity(text: str) -> Form:
    """An expression with its unit, money and percent signs and base index taken off."""
    unit = ""
    if text.startswith(("$", "-$")) and len(text) > 1:
        text, unit = text.replace("$", "", 1).strip(), "dollar"
    tail = _TEXT_UNIT.match(text) or _BARE_UNIT.match(text)
    if tail and _is_unit(tail):
        text, unit = tail.group(1).strip(), unit or _unit(tail.group(2))
    elif text.endswith("°") and len(text) > 1 and not _FUNCTION.search(text):
        text, unit = text[:-1].strip(), "degree"
    elif base := _BASE.match(text):
        text, unit = base.group(1), f"base {base.group(2)}"
    if unit == "percent" or (percent := text.endswith("%")):
        text, percent, unit = text.removesuffix("%").strip(), True, ""
    return Form(Kind.QUANTITY, _plain(text), (), unit, percent)


def _plain(text: str) -> str:
    """Words for numbers, spaced thousands, mixed numbers and powers of ten, spelled one way."""
    if text.startswith(r"\text{") and text.endswith("}") and text.count("{") == 1:
        text = text[6:-1].strip()
        if len(text) > 2 and text[0] == "(" and text[-1] == ")":
            text = text[1:-1]
    text = _WORDS.get(text.casefold(), text)
    if _SPACED_THOUSANDS.match(text):
        return text.replace(" ", "")
    if mixed := _MIXED.match(text):
        sign, whole, top, bottom = mixed.groups()
        return rf"{sign}({whole}+\frac{{{top}}}{{{bottom}}})"
    if power := _SCIENTIFIC.match(text):
        return f"{power.group(1)}*10^{{{power.group(2).removeprefix('+')}}}"
    return text


def _is_unit(tail: re.Match[str]) -> bool:
    """Words after a number are its unit; one letter is, where it stands apart (5 m, not 5m)."""
    body, words = tail.group(1), tail.group(2).strip()
    if tail.re is _TEXT_UNIT:
        return not body.endswith(("=", "+", "-", "*", "/", "\\", ","))
    apart = tail.group(0)[len(body) :].startswith(" ")
    if len(words) == 1:
        return apart and words in _UNITS
    return all(
        word in _UNITS or (len(word.strip(".-'/")) >= (3 if apart else 4) and "/" not in word)
        for word in words.casefold().split()
    )


def _unit(words: str) -> str:
    words = words.strip().casefold().rstrip(".")
    if words in ("percent", "per cent"):
        return "percent"
    return _UNITS.get(words, "")


def is_name(form: Form) -> bool:
    """Whether an equation's left side only names its right side (x, f(x), AB, total cost)."""
    text = form.text
    return form.kind is Kind.QUANTITY and bool(
        _NAME.match(key(text)) or _SEGMENT.match(text) or not re.search(r"[A-Za-z\\]", text)
    )
