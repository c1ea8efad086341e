"""Whether two answers taken apart are the same, kind by kind; the policy is in forms.py.

True, False, or None where only symbolic work can tell. The order of the two says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tasks.score.math.compare.amounts import Symbolic, same_quantity, tree_of
from tasks.score.math.limits import MAX_MATCHES
from tasks.score.math.parse.lists import PART
from tasks.score.math.parse.names import assigned, is_name, is_variable, letters, named, names
from tasks.score.math.parse.normalize import key
from tasks.score.math.parse.quantities import plain
from tasks.score.math.parse.relations import interval_of, variable
from tasks.score.math.parse.shapes import Form, Kind
from tasks.score.math.parse.syntax import Refused

_FUNCTION = re.compile(r"^([A-Za-z])\s*\(([a-z])\)$")
_OF_X = re.compile(r"^[fgh]\s*\(x\)$")
# Letters that are variables: not those of commands, nor of words.
_LETTERS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{1,3}(?![A-Za-z])")
# Letters for whole numbers that a solution of an equation with angles runs through.
_PARAMETERS = frozenset("klmn")
_NUMBERED_NAME = re.compile(r"_\{?[1-4]\}?$")
_TWO_DIGITS = re.compile(r"^\d\d$")


def same_forms(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    """Whether two answers taken apart are the same; None where only symbolic work can tell."""
    if a == b:
        return True
    if a.kind is Kind.RELATION or b.kind is Kind.RELATION:
        return _same_relation(a, b, symbolic)
    values = assigned(a), assigned(b)
    in_order = Kind.GROUP in (a.kind, b.kind) or any(f"{PART}1" in one for one in values)
    if any(values) and (all(values) or in_order):
        return _same_assigned(a, b, values, symbolic)
    if a.kind is Kind.EQUATION or b.kind is Kind.EQUATION:
        return _same_equation(a, b, symbolic)
    unordered = (Kind.LIST, Kind.SET)
    if a.kind in unordered and b.kind in unordered:
        sets = (a.kind, b.kind) == (Kind.SET, Kind.SET)
        tuples = all(part.kind is Kind.GROUP for part in (*a.parts, *b.parts))
        if sets or tuples:  # a solution named twice is one; a root named twice is a double root
            return _same_unordered(_distinct(a.parts), _distinct(b.parts), symbolic)
        return _same_unordered(a.parts, b.parts, symbolic)
    if a.kind is not b.kind:
        return _same_unlike(a, b, symbolic)
    if a.kind is Kind.QUANTITY:
        return same_quantity(a, b, symbolic)
    if a.kind is Kind.UNION:
        return _same_unordered(a.parts, b.parts, symbolic)
    if a.text != b.text or len(a.parts) != len(b.parts):
        return False
    left, right = _ratio(a), _ratio(b)
    if left and right and not all(_TWO_DIGITS.match(one.parts[1].text) for one in (a, b)):
        return same_quantity(left, right, symbolic)  # other than times of day
    if a.text == ":" and len(a.parts) > 2:
        return _same_ratio(a, b, symbolic)
    return _all(same_forms(x, y, symbolic) for x, y in zip(a.parts, b.parts, strict=True))


def _same_ratio(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    """2 : 3 : 4 is 4 : 6 : 8: by the products of each with the other's first."""
    if any(
        part.kind is not Kind.QUANTITY or part.unit or part.percent for part in a.parts + b.parts
    ):
        return False
    return _all(
        same_quantity(
            Form(Kind.QUANTITY, f"({x.text})*({b.parts[0].text})"),
            Form(Kind.QUANTITY, f"({y.text})*({a.parts[0].text})"),
            symbolic,
        )
        for x, y in zip(a.parts, b.parts, strict=True)
    )


def _same_unlike(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    """Two kinds that may still say one thing: a set of one part, a ratio as a number."""
    for one, other in ((a, b), (b, a)):
        if one.kind is Kind.SET and len(one.parts) == 1:
            return same_forms(one.parts[0], other, symbolic)
        if one.kind is Kind.SEQUENCE and other.kind in (Kind.LIST, Kind.SET):
            return _same_unordered(one.parts, other.parts, symbolic)
        if one.kind is Kind.SEQUENCE and other.text == "()":
            return same_forms(Form(Kind.GROUP, "()", one.parts), other, symbolic)
        if other.kind is Kind.QUANTITY and (ratio := _ratio(one)):
            return same_quantity(ratio, other, symbolic)
    return False


def _ratio(form: Form) -> Form | None:
    """The ratio a : b as the quantity a/b."""
    sides = form.parts
    if form.text != ":" or len(sides) != 2 or any(s.kind is not Kind.QUANTITY for s in sides):
        return None
    if any(side.unit or side.percent for side in sides):
        return None
    return Form(Kind.QUANTITY, rf"\frac{{{sides[0].text}}}{{{sides[1].text}}}")


def _same_assigned(
    a: Form, b: Form, values: tuple[dict[str, Form], ...], symbolic: Symbolic | None
) -> bool | None:
    """`x = 1, y = 2` by the variables' names; against (1, 2) in their order, as parts are."""
    left, right = values
    if left and right:
        if left.keys() != right.keys():
            return False
        return _all(same_forms(left[name], right[name], symbolic) for name in sorted(left))
    given, form, other = (left, a, b) if left else (right, b, a)
    order: Sequence[str] = names(form.parts[0]) if form.kind is Kind.EQUATION else sorted(given)
    if other.text not in ("()", ",") or len(other.parts) != len(order):
        return False
    return _all(same_forms(given[n], x, symbolic) for n, x in zip(order, other.parts, strict=True))


def _same_relation(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    """Inequalities; one against an interval or a union says the set of its variable's values."""
    if a.kind is not b.kind:
        inequality, other = (a, b) if a.kind is Kind.RELATION else (b, a)
        values = interval_of(inequality)
        return False if values is None else same_forms(values, other, symbolic)
    first, second = interval_of(a), interval_of(b)
    if first and second and variable(a) == variable(b):
        return same_forms(first, second, symbolic)
    if a.text != b.text:
        return False
    straight = _all(same_forms(x, y, symbolic) for x, y in zip(a.parts, b.parts, strict=True))
    if straight or len(a.parts) > 2:
        return straight
    return _same_sides(a, b, "=" if a.text == "!=" else "<", straight, symbolic)


def _all(outcomes: Iterable[bool | None]) -> bool | None:
    """Three-valued and: False wins over unknown, unknown over True."""
    unknown = False
    for outcome in outcomes:
        if outcome is False:
            return False
        unknown |= outcome is None
    return None if unknown else True


def _distinct(parts: tuple[Form, ...]) -> tuple[Form, ...]:
    if sum(map(_size, parts)) ** 2 > MAX_MATCHES:
        return parts
    kept: list[Form] = []
    for part in parts:
        if not any(same_forms(part, one, None) for one in kept):
            kept.append(part)
    return tuple(kept)


def _same_unordered(
    a: tuple[Form, ...], b: tuple[Form, ...], symbolic: Symbolic | None
) -> bool | None:
    """Pair each part of one with an equal part of the other."""
    if len(a) != len(b):
        return False
    if sum(map(_size, a)) * sum(map(_size, b)) > MAX_MATCHES:
        raise Refused(f"more than {MAX_MATCHES} pairs of parts")
    table: list[list[bool | None]] = []
    over: Refused | None = None
    for x in a:
        table.append([])
        for y in b:
            try:
                table[-1].append(same_forms(x, y, None))
            except Refused as refused:  # a part without a partner decides before it, on either side
                over = refused
                table[-1].append(None)
        if all(same is False for same in table[-1]):
            return False
    if over is not None:
        if any(all(line[column] is False for line in table) for column in range(len(b))):
            return False
        raise over
    rows, columns = set(range(len(a))), set(range(len(b)))
    for decide_by in (None, symbolic):
        for row in sorted(rows):
            for column in sorted(columns):
                if decide_by is not None and table[row][column] is None:
                    table[row][column] = same_forms(a[row], b[column], decide_by)
                if table[row][column]:
                    rows.remove(row)
                    columns.remove(column)
                    break
    if not rows:
        return True
    alone = any(all(table[row][column] is False for column in columns) for row in rows)
    alone |= any(all(table[row][column] is False for row in rows) for column in columns)
    return False if alone else None


def _size(form: Form) -> int:
    """How many innermost parts a form has."""
    return sum(map(_size, form.parts)) if form.parts else 1


def _same_equation(a: Form, b: Form, symbolic: Symbolic | None) -> bool | None:
    if a.kind is not b.kind:
        equation, value = (a, b) if a.kind is Kind.EQUATION else (b, a)
        left, right = equation.parts
        if _wrong(left, right):
            return False
        if right.text == "0" and not is_variable(left) and left.kind is not Kind.GROUP:
            return False  # a+b = 0 is an equation, not an answer of 0
        if not letters(left) and letters(right) and not named(right):
            return False  # nor is 7 = 11a+c what a and c are
        outcome = same_forms(right, value, symbolic) if is_name(left) else False
        if outcome is False and named(right) and not named(left):  # 5 = x
            return same_forms(left, value, symbolic)
        return outcome
    if renamed := _renamed(a, b):
        return _same_equation(*renamed, symbolic)
    straight = _all(same_forms(x, y, symbolic) for x, y in zip(a.parts, b.parts, strict=True))
    if straight is True:
        return True
    if _same_root(a, b):
        return same_forms(a.parts[1], b.parts[1], symbolic)
    swapped = zip(a.parts, reversed(b.parts), strict=True)
    if is_name(a.parts[1]) and _all(same_forms(x, y, None) for x, y in swapped):
        return True
    if key(a.parts[0].text) == key(b.parts[0].text) and is_name(a.parts[0]):
        return straight
    return _same_sides(a, b, "=", straight, symbolic)


def _same_root(a: Form, b: Form) -> bool:
    """Whether one equation is for x and the other for x_1 or x_2: roots that are numbered."""
    names_of = [key(one.parts[0].text) for one in (a, b)]
    bare = [_NUMBERED_NAME.sub("", name) for name in names_of]
    return bare[0] == bare[1] and bare[0].isalpha() and bare[0] in names_of and bare != names_of


def _wrong(left: Form, right: Form) -> bool:
    """Whether two numbers are called equal that are not, as in 6 = 5: it says neither."""
    numbers = plain(left.text), plain(right.text)
    return None not in numbers and numbers[0] != numbers[1]


def _renamed(a: Form, b: Form) -> tuple[Form, Form] | None:
    """f(x) = x against f(z) = z: the second with the first's variable."""
    if any(part.kind is not Kind.QUANTITY for part in (*a.parts, *b.parts)):
        return None
    for curve, function in ((a, b), (b, a)):  # y = x against f(x) = x
        if curve.parts[0].text == "y" and _OF_X.match(function.parts[0].text):
            return curve, replace(function, parts=(curve.parts[0], function.parts[1]))
    one, other = _FUNCTION.match(a.parts[0].text), _FUNCTION.match(b.parts[0].text)
    if not one or not other or one[1] != other[1] or one[2] == other[2]:
        return None
    if one[2] in _letters_of(b.parts[1].text):
        return None  # it would catch another variable
    right = _with_letter(b.parts[1].text, other[2], one[2])
    return a, Form(Kind.EQUATION, b.text, (a.parts[0], replace(b.parts[1], text=right)))


def with_parameter(a: Form, b: Form) -> Form | None:
    r"""The second of two answers of period pi with the first's parameter: k\pi against n\pi."""
    texts = [[part.text for part in _leaves(form)] for form in (a, b)]
    if not all(any(r"\pi" in text for text in one) for one in texts):
        return None
    one, other = ({c for text in some for c in _letters_of(text)} & _PARAMETERS for some in texts)
    if len(one) != 1 or len(other) != 1 or one == other:
        return None
    return _replaced(b, next(iter(other)), next(iter(one)))


def _leaves(form: Form) -> list[Form]:
    return [leaf for part in form.parts for leaf in _leaves(part)] if form.parts else [form]


def _replaced(form: Form, old: str, new: str) -> Form:
    parts = tuple(_replaced(part, old, new) for part in form.parts)
    text = form.text if parts else _with_letter(form.text, old, new)
    return replace(form, text=text, parts=parts)


def _letters_of(text: str) -> set[str]:
    return {c for word in _LETTERS.findall(text) for c in word}


def _with_letter(text: str, old: str, new: str) -> str:
    return _LETTERS.sub(lambda word: word.group().replace(old, new), text)


def _same_sides(
    a: Form, b: Form, sign: str, straight: bool | None, symbolic: Symbolic | None
) -> bool | None:
    """Two equations or inequalities by the differences of their sides, where we can read them."""
    sides = [*a.parts, *b.parts]
    if any(side.kind is not Kind.QUANTITY for side in sides):
        return straight
    if any(tree_of(side.text) is None for side in sides):
        return straight
    if symbolic is None:
        return None
    return symbolic(*(f"({one.parts[0].text}){sign}({one.parts[1].text})" for one in (a, b)))
