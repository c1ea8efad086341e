"""Lists of parts that are one thing together: unions of inequalities, values of one name."""

from __future__ import annotations

from tasks.score.math.parse.names import assigned, is_variable
from tasks.score.math.parse.relations import holes_of, union, variable, without
from tasks.score.math.parse.shapes import Form, Kind


def joined(kind: Kind, separator: str, parts: tuple[Form, ...]) -> Form:
    """A list of inequalities is their union; `3 ± 1` in a list is two of its parts.

    `x < 0 or x = 5` is the union of the one and {5}.
    """
    if kind is Kind.LIST and any(part.kind is Kind.RELATION for part in parts):
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
        part.parts if part.kind is Kind.LIST and not assigned(part) else (part,) for part in parts
    ]
    return tuple(part for some in inner for part in some)
