"""Lists of parts that are one thing together: unions of inequalities, values of one name."""

from __future__ import annotations

import re

from tasks.score.math.parse.names import assigned, is_variable
from tasks.score.math.parse.relations import holes_of, punctured, union, variable, without
from tasks.score.math.parse.shapes import Form, Kind

# "(1) 3; (2) 5": the parts of a question.
_NUMBER = re.compile(
    r"(?:^|(?<=[;,.\s]))(?:\\text\{\s*)?\((\d|[a-f]|i{1,3}|iv|v)\)\s*\}?\s*(?=[^\s;,.(])"
)
# Names of parts; no letter that an answer has.
PART = r"\part_"
_NUMBERS = ("123456789", "abcdef", ("i", "ii", "iii", "iv", "v"))


def numbered(text: str) -> list[str]:
    """What an answer says of the parts (1), (2), ... of a question; nothing where it has none."""
    marks = [*_NUMBER.finditer(text)]
    said = [mark[1] for mark in marks]
    if len(marks) < 2 or marks[0].start() or not any(said == [*n[: len(said)]] for n in _NUMBERS):
        return []
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [text[mark.end() : end].strip(" ;,.") for mark, end in zip(marks, ends, strict=True)]


def of_parts(parts: tuple[Form, ...]) -> Form:
    """The answers to the parts of a question, each named by its number."""
    names = (Form(Kind.QUANTITY, f"{PART}{number}") for number in range(1, len(parts) + 1))
    pairs = zip(names, parts, strict=True)
    return Form(Kind.LIST, ",", tuple(Form(Kind.EQUATION, "=", pair) for pair in pairs))


def joined(kind: Kind, separator: str, parts: tuple[Form, ...]) -> Form:
    """A list of inequalities is their union; `3 ± 1` in a list is two of its parts.

    `x < 0 or x = 5` is the union of the one and {5}.
    """
    if kind is Kind.LIST and any(part.kind is Kind.RELATION for part in parts):
        if pierced := punctured(parts):
            return pierced
        if holes := holes_of(parts):
            return without(*holes)
        parts = tuple(_point(part, parts) for part in parts)
        if all(part.kind in (Kind.RELATION, Kind.SET) for part in parts):
            return Form(Kind.UNION, r"\cup", parts)
    if kind is Kind.LIST and all(part.kind is Kind.RELATION for part in parts):
        return Form(Kind.UNION, r"\cup", parts)
    if kind is Kind.UNION:
        return union(parts)
    if kind is Kind.LIST and parts[0].kind is Kind.EQUATION:
        parts = _of_one_name(parts)
    return Form(kind, separator, flat(parts) if kind is Kind.LIST else parts)


def _of_one_name(parts: tuple[Form, ...]) -> tuple[Form, ...]:
    """`x = 3, 5` as x = 3, x = 5: not what y is."""
    name, first = parts[0].parts
    if not is_variable(name) or any(part.kind is not Kind.QUANTITY for part in (first, *parts[1:])):
        return parts
    return tuple(Form(Kind.EQUATION, "=", (name, value)) for value in (first, *parts[1:]))


def _point(part: Form, parts: tuple[Form, ...]) -> Form:
    """`x = 5` beside inequalities for x as {5}."""
    if part.kind is not Kind.EQUATION:
        return part
    letter = part.parts[0].text
    others = {variable(one) for one in parts if one.kind is Kind.RELATION}
    return Form(Kind.SET, "{}", (part.parts[1],)) if others == {letter} else part


def flat(parts: tuple[Form, ...]) -> tuple[Form, ...]:
    """Parts, and the parts of lists among them: 3 ± 1 in a list or a set is two of its parts."""
    inner = [
        part.parts if part.kind is Kind.LIST and not assigned(part) else _roots(part)
        for part in parts
    ]
    return tuple(part for some in inner for part in some)


def _roots(part: Form) -> tuple[Form, ...]:
    """`x = ±2` as x = 2 and x = -2."""
    if part.kind is not Kind.EQUATION or part.parts[1].kind is not Kind.LIST:
        return (part,)
    return tuple(Form(Kind.EQUATION, "=", (part.parts[0], one)) for one in part.parts[1].parts)
