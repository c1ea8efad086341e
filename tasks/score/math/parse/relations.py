r"""Inequalities: `x > 3`, `-2 \le x < 7`, `x \ne 0`, and the intervals that they say.

A form of kind RELATION has its signs in `text` ("<", "<=,<", "!=") and its sides, smallest first,
in `parts`, so that `x > 3` and `3 < x` are one form.

Not covered: chains whose signs point both ways, intersections of more than two inequalities.
"""

from __future__ import annotations

import itertools
import math
import re

from tasks.score.math.parse.shapes import Form, Kind
from tasks.score.math.parse.syntax import read
from tasks.score.math.parse.values import real

SIGNS = re.compile(r"[<>]|\\(?:le|ge|ne)(?![A-Za-z])")
_ASCENDING = {"<": "<", r"\le": "<=", r"\ne": "!="}
_DESCENDING = {">": "<", r"\ge": "<=", r"\ne": "!="}
_VARIABLE = re.compile(r"^(?:[A-Za-z]|\\[a-z]{2,7})(?:_\{?\w\}?)?(?:\([a-z]\))?$")

_ABSOLUTE = re.compile(r"^\|\s*([A-Za-z])\s*(?:([+-])\s*([^|]+))?\|$")

INFINITY = Form(Kind.QUANTITY, r"\infty")
MINUS_INFINITY = Form(Kind.QUANTITY, r"-\infty")
REALS = Form(Kind.GROUP, "()", (MINUS_INFINITY, INFINITY))


def relation(signs: list[str], sides: tuple[Form, ...]) -> Form | None:
    """The form of sides joined by signs, or None where the signs point both ways."""
    for names, step in ((_ASCENDING, 1), (_DESCENDING, -1)):
        if all(sign in names for sign in signs):
            ordered = [names[sign] for sign in signs][::step]
            return Form(Kind.RELATION, ",".join(ordered), sides[::step])
    return None


def both(a: Form, b: Form) -> Form | None:
    """`x > 1 and x < 5` as one chain, or None where they are not two ends of one variable."""
    if not all(one.kind is Kind.RELATION and len(one.parts) == 2 for one in (a, b)):
        return None
    for low, high in ((a, b), (b, a)):
        if low.parts[1] == high.parts[0] and "!=" not in (low.text, high.text):
            return Form(Kind.RELATION, f"{low.text},{high.text}", (*low.parts, high.parts[1]))
    return None


def variable(form: Form) -> str:
    """The one variable that a relation bounds by what does not name it, or ""."""
    if absolute := _absolute(form):
        return absolute[0]
    at = 1 if len(form.parts) == 3 else next((i for i in (0, 1) if _is_variable(form, i)), 0)
    return form.parts[at].text if len(form.parts) < 4 and _is_variable(form, at) else ""


def _is_variable(form: Form, at: int) -> bool:
    name = form.parts[at].text
    others = [part for i, part in enumerate(form.parts) if i != at]
    if form.parts[at].kind is not Kind.QUANTITY or not _VARIABLE.match(name):
        return False
    return name != r"\infty" and all(
        part.text == r"\infty" or (part.kind is Kind.QUANTITY and not _VARIABLE.match(part.text))
        for part in others
    )


def interval_of(form: Form) -> Form | None:
    r"""The interval, or the two of `x \ne a`, that a relation says of its variable."""
    if absolute := _absolute(form):
        return absolute[1]
    if not variable(form):
        return None
    signs, sides = form.text.split(","), form.parts
    if signs == ["!="]:
        hole = sides[1] if _is_variable(form, 0) else sides[0]
        return without(hole)
    if "!=" in signs:
        return None
    if len(sides) == 3:
        brackets = ("[" if signs[0] == "<=" else "(") + ("]" if signs[1] == "<=" else ")")
        return Form(Kind.GROUP, brackets, (sides[0], sides[2]))
    if _is_variable(form, 0):
        return Form(Kind.GROUP, "(]" if signs[0] == "<=" else "()", (MINUS_INFINITY, sides[1]))
    return Form(Kind.GROUP, "[)" if signs[0] == "<=" else "()", (sides[0], INFINITY))


def holes_of(parts: tuple[Form, ...]) -> tuple[Form, ...]:
    r"""The numbers that `x \ne 0, 1` or `x \ne 0 and x \ne 1` leave out, else nothing."""
    first = parts[0]
    if first.text != "!=" or not variable(first) or not _is_variable(first, 0):
        return ()
    holes = [first.parts[1]]
    for part in parts[1:]:
        if part.kind is Kind.QUANTITY and _number(part.text) is not None:
            holes.append(part)
        elif part.text == "!=" and part.parts[0].text == first.parts[0].text:
            holes.append(part.parts[1])
        else:
            return ()
    return tuple(holes)


def punctured(parts: tuple[Form, ...]) -> Form | None:
    r"""`x \ge -3, x \ne 0` is an interval without a number; None for anything else."""
    if len(parts) != 2 or any(part.kind is not Kind.RELATION for part in parts):
        return None
    range_, hole = sorted(parts, key=lambda part: part.text == "!=")
    if hole.text != "!=" or range_.text == "!=" or not variable(hole) == variable(range_) != "":
        return None
    interval = interval_of(range_)
    numbers = [part for part in hole.parts if part.text != variable(hole)]
    if interval is None or interval.kind is not Kind.GROUP or len(numbers) != 1:
        return None
    low, at, high = (
        _number(one.text) for one in (interval.parts[0], numbers[0], interval.parts[1])
    )
    if low is None or at is None or high is None or not low < at < high:
        return None
    pieces = (
        Form(Kind.GROUP, interval.text[0] + ")", (interval.parts[0], numbers[0])),
        Form(Kind.GROUP, "(" + interval.text[1], (numbers[0], interval.parts[1])),
    )
    return Form(Kind.UNION, r"\cup", pieces)


def without(*holes: Form) -> Form:
    """All real numbers but some."""
    if len(holes) > 1 and all(_number(hole.text) is not None for hole in holes):
        holes = tuple(sorted(holes, key=lambda hole: _number(hole.text) or 0.0))
    ends = (MINUS_INFINITY, *holes, INFINITY)
    sides = tuple(itertools.pairwise(ends))
    return Form(Kind.UNION, r"\cup", tuple(Form(Kind.GROUP, "()", side) for side in sides))


def intersection(a: Form, b: Form) -> Form | None:
    """What two intervals with numbers as ends share, or None where that cannot be told."""
    if a.kind is b.kind is Kind.SET and all(one.kind is Kind.QUANTITY for one in a.parts + b.parts):
        return Form(Kind.SET, "{}", tuple(one for one in a.parts if one in b.parts))
    if not all(one.kind is Kind.GROUP and len(one.parts) == 2 for one in (a, b)):
        return None
    ends = [[_number(part.text) for part in one.parts] for one in (a, b)]
    if any(end is None for pair in ends for end in pair):
        return None
    # Of two equal ends the open one is the narrower.
    low = max((0, 1), key=lambda i: (ends[i][0], (a, b)[i].text[0] == "("))
    high = min((0, 1), key=lambda i: (ends[i][1], (a, b)[i].text[1] == "]"))
    below, above = (a, b)[low], (a, b)[high]
    brackets = below.text[0] + above.text[1]
    width = float(ends[high][1] or 0) - float(ends[low][0] or 0)
    if width < 0 or (width == 0 and brackets != "[]"):
        return Form(Kind.SET, "{}")
    return Form(Kind.GROUP, brackets, (below.parts[0], above.parts[1]))


def union(parts: tuple[Form, ...]) -> Form:
    """A union in its simplest form: sets in one, intervals that overlap or meet in one."""
    if all(part.kind is Kind.SET for part in parts):
        return Form(Kind.SET, "{}", tuple(one for part in parts for one in part.parts))
    intervals = [part for part in parts if part.kind is Kind.GROUP and len(part.parts) == 2]
    lows = [_number(part.parts[0].text) for part in intervals]
    highs = [_number(part.parts[1].text) for part in intervals]
    if len(intervals) < len(parts) or None in lows or None in highs:
        return Form(Kind.UNION, r"\cup", parts)
    order = sorted(range(len(parts)), key=lambda i: (lows[i], parts[i].text[0] == "("))
    merged = [(parts[order[0]], highs[order[0]])]
    for i in order[1:]:
        part, (last, end) = parts[i], merged[-1]
        low, high = float(lows[i] or 0), float(highs[i] or 0)
        if low > float(end or 0) or (low == end and last.text[1] + part.text[0] == ")("):
            merged.append((part, high))
        elif (high, part.text[1] == "]") > (float(end or 0), last.text[1] == "]"):
            ends = (last.parts[0], part.parts[1])
            merged[-1] = (Form(Kind.GROUP, last.text[0] + part.text[1], ends), high)
    kept = tuple(part for part, _ in merged)
    return kept[0] if len(kept) == 1 else Form(Kind.UNION, r"\cup", kept)


def _number(text: str) -> float | None:
    if text in (r"\infty", r"-\infty"):
        return math.inf if text[0] != "-" else -math.inf
    tree = read(text)
    return real(tree) if tree is not None else None


def _absolute(form: Form) -> tuple[str, Form] | None:
    r"""The letter and the values of `|x - c| < a`, `|x - c| > a` or `a < |x - c| < b`."""
    at, match = next(
        ((i, m) for i, part in enumerate(form.parts) if (m := _ABSOLUTE.match(part.text))),
        (0, None),
    )
    signs = form.text.split(",")
    if match is None or "!=" in signs or len(form.parts) > 3 or (len(form.parts) == 3 and at != 1):
        return None
    letter, sign, shift = match.groups()
    if any(letter in part.text for i, part in enumerate(form.parts) if i != at):
        return None
    center = f"-({shift})" if sign == "+" else f"({shift})" if sign else ""
    inside = form.parts[at + 1] if at + 1 < len(form.parts) else None
    outside = form.parts[at - 1] if at else None
    closed = ("<=" in signs[0], "<=" in signs[-1])
    ends = (_end(center, "-", inside), _end(center, "+", inside))
    if outside is None:
        return letter, Form(Kind.GROUP, "[]" if closed[1] else "()", ends)
    if inside is None:
        ends = (MINUS_INFINITY, INFINITY)
        closed = (closed[0], False)
    low = Form(Kind.GROUP, "(["[closed[1]] + ")]"[closed[0]], (ends[0], _end(center, "-", outside)))
    high = Form(
        Kind.GROUP, "(["[closed[0]] + ")]"[closed[1]], (_end(center, "+", outside), ends[1])
    )
    return letter, Form(Kind.UNION, r"\cup", (low, high))


def _end(center: str, sign: str, bound: Form | None) -> Form:
    text = f"({bound.text})" if bound else ""
    return Form(Kind.QUANTITY, f"{center}{sign}{text}" if center or sign == "-" else text)
