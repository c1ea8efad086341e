r"""The shape of an answer: a quantity, a tuple, an interval, a set, a list, a matrix, an equation.

Policy, the same whichever side is the reference; docs/checker.md gives the reasons:
- (a, b) is ordered and its brackets count: (1, 2) is not [1, 2]; ]1, 2[ is (1, 2). A bare list
  `1, 2` and a set {1, 2} are unordered. [1, 2, 3] is a tuple or a list. `a ± b` is the list of
  both. A matrix is compared entry by entry, whatever its brackets.
- `x > 3` is (3, oo), whatever the variable; `x < 1 or x > 2` is the union of both; `|x| < 3` is
  (-3, 3). Unions and intersections of intervals with numbers as ends are worked out.
- `x = 1, y = 2` is (x, y) = (1, 2) and (1, 2). A ratio a : b is a/b where the other side is a
  number. What names may stand left of an equals sign is in names.py.

Not covered: conversion of bases, times of day, chains of inequalities that turn around.
"""

from __future__ import annotations

import functools
import re

from tasks.score.math.limits import MAX_DEPTH, MAX_FORM, MAX_PARTS
from tasks.score.math.parse.changing import BOUNDED
from tasks.score.math.parse.lists import flat, joined, numbered, of_parts
from tasks.score.math.parse.matrices import MATRIX, Rows, matrix
from tasks.score.math.parse.names import assigned, is_name
from tasks.score.math.parse.normalize import unconditional
from tasks.score.math.parse.phrases import TWO_UNITS, in_one_unit, sign_of
from tasks.score.math.parse.pieces import CLOSERS, OPENERS, PIECE, closes_last, split
from tasks.score.math.parse.quantities import plain, quantity
from tasks.score.math.parse.relations import (
    REALS,
    SIGNS,
    both,
    intersection,
    interval_of,
    relation,
    without,
)
from tasks.score.math.parse.shapes import Form, Kind
from tasks.score.math.parse.spoken import spoken_things, spoken_whole
from tasks.score.math.parse.syntax import Refused

# Loosest first.
_SEPARATORS = (
    (",", Kind.LIST), (r"\cup", Kind.UNION), ("=", Kind.EQUATION), (":", Kind.GROUP),
)  # fmt: skip
_JOIN = re.compile(
    r",?\s*\\text\{\s*,?\s*(?:and|or)\s*\}\s*|,?\s+(?:and|or)\s+|\s*\\(?:lor|vee)(?![A-Za-z])\s*"
    r"|(?<=[)\]}\d])\s+(?:et|und|y|ou|oder|o)\s+(?=[(\\\d-])|(?<=[)\]}\d])\s*(?:and|or)\s*(?=[(\[\\\dA-Z-]|[a-z](?:\(|=))"
)
# `x=1,y=2; x=3,y=4`: between cases, where each says several things.
_CASES = re.compile(_JOIN.pattern + r"|\s*;\s*")
_WHOLE_TEXT = re.compile(r"^\\text\{([^{}]*)\}$")
_REALS = re.compile(
    r"^(?:\\mathbb\s*\{?\s*R\s*\}?|\\R|\\Reals|ℝ|\\?(?:text\{)?all real numbers\}?)$", re.IGNORECASE
)
_POSITIVE = re.compile(r"^\\mathbb\s*\{?R\}?\s*(?:\^\{?\+\}?|_\{?\+\}?|_\{> ?0\})$")
_REALS_WITHOUT = re.compile(
    r"^(?:\\mathbb\s*\{?R\}?|ℝ)\s*(?:\\setminus|\\backslash|-)\s*\\\{([^{}]+)\\\}$"
)
_AND = re.compile(r"\s*\\text\{\s*,?\s*and\s*\}\s*|,?\s+and\s+|\s*\\(?:land|wedge)(?![A-Za-z])\s*")
_RATIO = re.compile(r"^([\w.]{1,40})(?:\s*\\text\{ ?to ?\}\s*| to )([\w.]{1,40})$")
_UNION_LETTER = re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])")
_PLUS_MINUS = re.compile(r"\\(?:pm|mp)(?![A-Za-z])")
# In French intervals ]0, 5[ the brackets turn away from what they leave out.
_FRENCH = re.compile(r"([\[\]])([^\[\](),]{1,60},[^\[\](),]{1,60})([\[\]])")
# {x : x > 2} and {x in R | x > 2} are what their conditions say.
# Several equations below each other are a list of them; with `&` it is a function by cases.
_SYSTEM = re.compile(
    r"\\begin\s*\{(cases|array|aligned)\}(?:\{[^{}]*\})?([^&]*=[^&]*)\\end\s*\{\1\}"
)
_BUILDER = re.compile(
    r"^[A-Za-z]\s*(?:\\in\s*\\mathbb\s*\{?\s*R\s*\}?)?\s*(?:\\mid(?![A-Za-z])|:|\|)\s*([^:|]+)$"
)
# {x | x = 2k pi, k in Z}: the values that an equation says.
_BUILT = re.compile(r"^([A-Za-z])\s*(?:\\mid(?![A-Za-z])|:|\|)\s*(\1\s*=[^=:|]+)$")
_POINT = re.compile(r"^[A-Z](?=\([^()]*,[^()]*\)$)")
_MEMBER = re.compile(
    r"^(?:[A-Za-z](?:_\{?\w\}?)?|\([A-Za-z](?:\s*,\s*[A-Za-z]){1,5}\))\s*\\in(?![A-Za-z])\s*"
)
_AMPERSAND = re.compile(r"\s*\\?&\s*")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
# "Minimum: 1, Maximum: 3" are the values; so are "7 goats and 4 helicopters".
_LABELS = re.compile(
    r"(?:^|(?<=, )|(?<=and ))(?:\\text\{\s*)?[A-Z][a-z]{2,20}(?: [a-z]{2,12})?(?: \d{1,2})?:"
    r"(?:\s*\}\s*|\s+)(?=\S)"
)
# "a: 3, b: 4" names the values too; a : b = 3 : 4 is a ratio.
_LETTER_LABELS = re.compile(r"(?:^|(?<=, ))([a-z]): (?=-?\d)")
_NOUN_AND = re.compile(r"\\text\{\s*([A-Za-z][A-Za-z ]{0,40}?),?\s+(and|or)\s*\}")
# x = y = 4, among others, is x = 4, y = 4.
_BOTH = re.compile(r"^\s*([a-z])\s*=\s*([a-z])\s*=\s*([^=,]+)$")
_MISSING = re.compile(
    r"^(?:\\text\{)?\s*all (?:real )?numbers (?:except|but|other than)(?: for)?\s*\}?"
    r"\s*(?:x\s*=\s*)?(\S.{0,60})$",
    re.IGNORECASE,
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
    text = unconditional(_MEMBER.sub("", text.strip()))
    if text[:1] in "(\\" and not depth and (pieces := numbered(text)):
        return of_parts(_parts(pieces, depth))
    if ": " in text and not text.startswith(r"\{"):
        text = _LABELS.sub("", text)
        if ", " in text:
            text = _LETTER_LABELS.sub(r"\1 = ", text)
    if r"\text" in text:
        text = _NOUN_AND.sub(r"\\text{ \1}, ", text)
    if " and " in text and (spoken_whole(text) or spoken_things(text)[0]):
        return quantity(text)
    mixed = TWO_UNITS.match(text) if text[:1].isdigit() else None
    if mixed and (amount := in_one_unit(mixed)):
        return amount
    if "ll " in text and (excepted := _MISSING.match(text)):
        return without(_form(excepted.group(1), depth + 1))
    if (" than " in text or "at " in text) and (bounded := BOUNDED.match(text)):
        named = text[0] if text[1:4] == " is" else ""
        bound = _form(f"{named or 'x'} {sign_of(bounded[1])} {bounded[2]}", depth + 1)
        return bound if named else interval_of(bound) or bound
    if text.startswith(r"\approx"):
        text = text[len(r"\approx") :].lstrip()
    if r"\begin" in text and (system := _SYSTEM.fullmatch(text)):
        rows = system.group(2).strip().removesuffix("\\\\").rstrip(" .,;")
        text = re.sub(r"[,;]?\s*\\\\\s*", ", ", rows)
    if r"\begin" in text and (cells := matrix(text)):
        return _matrix(cells, depth)
    if "]" in text or "[" in text:
        text = _FRENCH.sub(_turned, text)
    if cases := _cases(text, depth):
        return cases
    if "&" in text and "\\begin" not in text:
        text = _AMPERSAND.sub(", ", text)
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = _RATIO.sub(r"\1:\2", _UNION_LETTER.sub(r"\\cup ", text.replace(";", ",")))
    if _REALS.match(text):
        return REALS
    if _POSITIVE.match(text):
        return _form(r"(0,\infty)", depth + 1)
    if text == r"\emptyset" or (len(text) < 30 and quantity(text).text == r"\emptyset"):
        return Form(Kind.SET, "{}")
    if SIGNS.search(text):
        ends = _AND.split(text)
        if len(ends) == 2 and (chain := both(*(_form(end, depth + 1) for end in ends))):
            return chain
    if r"\cap" in text and "=" not in text:
        pieces = split(text, r"\cap")
        if len(pieces) == 2 and (shared := intersection(*_parts(pieces, depth))):
            return shared
    for separator, kind in _SEPARATORS:
        if separator == ",":
            commas = _JOIN.sub(",", text)
            pieces = split(commas, ",") if "," in commas else [text]
        else:
            pieces = split(text, separator) if separator in text else [text]
        if len(pieces) > 1:
            if kind is Kind.LIST and any(piece.count("=") > 1 for piece in pieces):
                pieces = [
                    each for piece in pieces for each in _BOTH.sub(r"\1=\3,\2=\3", piece).split(",")
                ]
            if kind is Kind.LIST and (tuples := _tuples(pieces, depth)):
                return tuples
            if kind is Kind.EQUATION and len(pieces) > 2:
                if _contradictory(pieces):
                    return Form(Kind.QUANTITY, text)
                pieces = [pieces[0], pieces[-1]]
            return joined(kind, separator, _parts(pieces, depth))
        if kind is Kind.UNION and SIGNS.search(text) and (form := _relation(text, depth)):
            return form
    whole = _WHOLE_TEXT.match(text)
    if whole and (any(c.isdigit() or c == "," for c in whole.group(1)) or _JOIN.search(text)):
        return _form(whole.group(1), depth + 1)
    if missing := _REALS_WITHOUT.match(text):
        return without(*_parts(split(missing.group(1), ","), depth))
    signs = _PLUS_MINUS.findall(text)
    pair = len(signs) == 1 and text.startswith("(") and closes_last(text) and "," in text
    bracketed = None if pair else _bracketed(text, depth)  # (±1, 2) are two points
    if bracketed:
        return bracketed
    if len(signs) == 1:
        either = (text.replace(signs[0], "+"), text.replace(signs[0], "-"))
        return Form(Kind.LIST, ",", tuple(_form(one, depth + 1) for one in either))
    return quantity(text)


def _contradictory(pieces: list[str]) -> bool:
    """Whether a chain of equations names numbers that are not equal: x = 6 = 5."""
    return len({number for piece in pieces if (number := plain(piece)) is not None}) > 1


def _turned(match: re.Match[str]) -> str:
    """]0, 5[ as (0, 5); what is written the usual way stays."""
    opener, inner, closer = match.groups()
    return ("(" if opener == "]" else "[") + inner + (")" if closer == "[" else "]")


def _cases(text: str, depth: int) -> Form | None:
    """`x=1,y=2 or x=3,y=4` is the list of two cases."""
    if text.count("=") < 4 or "\\begin" in text:
        return None
    pieces = [piece for piece in _CASES.split(text) if piece.strip()]
    if len(pieces) < 2 or any(piece.count("=") < 2 for piece in pieces):
        return None
    forms = _parts(pieces, depth)
    return Form(Kind.LIST, ",", forms) if all(map(assigned, forms)) else None


def _tuples(pieces: list[str], depth: int) -> Form | None:
    """`(x, y) = (1, 2), (3, 4)` is a list of tuples, of which the first is named."""
    name, sign, first = pieces[0].partition("=")
    if not sign or "=" in "".join(pieces[1:]) or not name.strip().startswith("("):
        return None
    forms = _parts([first, *pieces[1:]], depth)
    same_kind = all(form.kind is Kind.GROUP for form in forms)
    return Form(Kind.LIST, ",", forms) if same_kind and is_name(_form(name, depth + 1)) else None


def _relation(text: str, depth: int) -> Form | None:
    sides: list[str] = [""]
    signs: list[str] = []
    level = 0
    for token in PIECE.findall(text):
        level += (token in OPENERS) - (token in CLOSERS)
        if level == 0 and SIGNS.fullmatch(token):
            signs.append(token)
            sides.append("")
        else:
            sides[-1] += token
    if not signs or not all(side.strip() for side in sides):
        return None
    return relation(signs, _parts(sides, depth))


def _parts(pieces: list[str], depth: int) -> tuple[Form, ...]:
    if len(pieces) > MAX_PARTS:
        raise Refused(f"more than {MAX_PARTS} parts")
    return tuple(_form(piece, depth + 1) for piece in pieces)


def _bracketed(text: str, depth: int) -> Form | None:
    """A set, tuple or interval; redundant brackets around one thing are dropped."""
    if text.startswith(r"\{") and text.endswith(r"\}") and closes_last(text):
        inner = text[2:-2].strip()
        if (condition := _BUILDER.match(inner)) and SIGNS.search(condition.group(1)):
            return _form(condition.group(1), depth + 1)
        if built := _BUILT.match(unconditional(inner)):
            return _form(built.group(2), depth + 1)
        return Form(Kind.SET, "{}", flat(_parts(split(inner, ","), depth)) if inner else ())
    if text.startswith("{") and text.endswith("}") and closes_last(text):
        return _form(rf"\{{{text[1:-1]}\}}" if "," in text else text[1:-1], depth + 1)
    if point := _POINT.match(text):
        text = text[point.end() :]
    if len(text) > 2 and text[0] in "([" and text[-1] in ")]" and closes_last(text):
        pieces = split(text[1:-1], ",")
        if len(pieces) > 1 and text.startswith("[["):
            listed = _listed_matrix(_parts(pieces, depth))
            if listed:
                return listed
        if len(pieces) > 2 and text[0] + text[-1] == "[]":  # three are no interval, but a list
            return Form(Kind.SEQUENCE, "[]", _parts(pieces, depth))
        if len(pieces) > 1:
            return Form(Kind.GROUP, text[0] + text[-1], _parts(pieces, depth))
        if (text[0] == "(" and text[-1] == ")") or MATRIX.fullmatch(text[1:-1].strip()):
            return _form(text[1:-1], depth + 1)
    if text.startswith(r"\text{(") and text.endswith(")}"):
        return _form(text[7:-2], depth + 1)
    return None


def _matrix(rows: Rows, depth: int) -> Form:
    shape = ",".join(str(len(row)) for row in rows)
    return Form(Kind.MATRIX, shape, _parts([cell for row in rows for cell in row], depth))


def _listed_matrix(rows: tuple[Form, ...]) -> Form | None:
    """[[1, 2], [3, 4]], as a program prints a matrix."""
    if len({len(row.parts) for row in rows}) != 1 or any(row.text != "[]" for row in rows):
        return None
    shape = ",".join(str(len(row.parts)) for row in rows)
    return Form(Kind.MATRIX, shape, tuple(part for row in rows for part in row.parts))
