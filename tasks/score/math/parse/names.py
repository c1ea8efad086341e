r"""Left sides that only name what is right of them: `x = 5`, `f(2) = 5`, `\angle ABC = 30°`.

Policy: an equation is its right side where the left one is a name. An expression in x, y, z is
no name (`x^2+y^2 = 25` is a circle, not 25), nor is what must still be solved (`2x = 5`).

Not covered: names in several words with formulas inside.
"""

from __future__ import annotations

import re

from tasks.score.math.limits import MAX_LENGTH
from tasks.score.math.parse.normalize import key
from tasks.score.math.parse.shapes import Form, Kind
from tasks.score.math.parse.syntax import read
from tasks.score.math.parse.values import has_variables

_NAME = re.compile(
    r"^(?:[A-Za-z]|\\[a-z]+)(?:_\{?\w{1,9}\}?)?'*(?:\([a-z](?:,[a-z])*\))?$|^\\text\{[^{}]*\}$"
)
_SEGMENT = re.compile(
    r"^m?\\?(?:angle|overline|overrightarrow|vec|triangle)?\s*\{?[A-Z]{1,4}'*\}?$|^[A-Za-z ]{3,30}$"
)
# One letter of geometry or algebra, with an index; x, y and z alone make equations of curves.
_ONE = r"(?:[A-Z]{1,3}|[a-z]|\\[a-z]{2,7})(?:_\{?\w{1,9}\}?)?"
_FRACTION = re.compile(
    rf"^\\frac\{{?(?:{_ONE})\}}?\{{?(?:{_ONE})\}}?$|^[A-Z]{{1,3}}(?:_\{{?\w+\}}?)?/[A-Z]{{1,3}}(?:_\{{?\w+\}}?)?$"
)
_SUM = re.compile(rf"^(?:{_ONE})(?:[-+*]{_ONE}){{1,9}}$")
_CALLS = re.compile(r"^[a-zA-Z]\([-\w./]{1,9}\)(?:[-+*]?[a-zA-Z]\([-\w./]{1,9}\)){1,9}$")
_CURVE = re.compile(r"^[xyzr+\-*^{}\d\\theta]*$")
_VALUE_OF = re.compile(r"^[A-Za-z]\([a-z]\)$")
# f(2), P(A), \sin A, |AB|, [ABC]: values by their notation.
_CALL = re.compile(
    r"^[fghpqFGHPQNSEVTA](?:_\w|\^\{-1\})?'*\([^()=]{1,20}\)$|^P\([^()]{1,30}\)$"
    r"|^\\(?:max|min)\s?[a-z]$|^[A-Z]\\cap ?[A-Z]$"
    r"|^\\?(?:sin|cos|tan|cot|sec|csc|gcd|max|min|deg|lim|sum|det)(?:_\{[^{}]*\})?\s*"
    r"(?:\{?(?:[A-Z]{1,3}|\\?angle\s*[A-Z]{1,3}|\\[a-z]{4,7})\}?|\([^()=]{1,30}\))$"
    r"|^\\lim_\{[^{}]*\}[\w()]{1,20}$|^\\frac\{?d[a-z]?\}?\{?d[a-z]\}?(?:[a-z]|[a-z]\([a-z]\))?$"
    r"|^\\(?:zeta|[Gg]amma|phi|varphi|tau|sigma|mu|pi|omega)\([^()=]{1,20}\)$"
    r"|^\|[A-Z]{1,2}\|$|^\[[A-Z]{3,6}\]$"
)


# A sum, an integral, a limit or a derivative that is still to be worked out.
OPERATIONS = re.compile(
    r"\\(?:i{0,3}int|oint|sum|prod|lim)(?![A-Za-z])|\\frac\s*\{\s*d\s*\}\s*\{\s*d[a-z]\s*\}"
)


def is_name(form: Form) -> bool:
    """Whether an equation's left side only names its right side (x, f(x), AB, (x, y))."""
    text = form.text
    if OPERATIONS.search(text):
        return True  # the sum that was worked out
    if form.kind is Kind.GROUP:
        if text == ":":
            return letters(form) and all(part.text and is_name(part) for part in form.parts)
        return bool(form.parts) and all(map(is_name, form.parts)) and bool(names(form))
    if form.kind is not Kind.QUANTITY:
        return False
    bare = key(text)
    if is_variable(form) or not letters(form):
        return True
    if _FRACTION.match(bare) or (_CALLS.match(bare) and any(c.isdigit() for c in bare)):
        return True
    return bool(_SUM.match(bare)) and not _CURVE.match(bare)


def is_variable(form: Form) -> bool:
    """Whether a form is one letter, one word or one value's notation: x, AB, f(2)."""
    bare = key(form.text)
    if form.kind is not Kind.QUANTITY:
        return False
    return bool(_NAME.match(bare) or _SEGMENT.match(form.text) or _CALL.match(bare)) or not letters(
        form
    )


def letters(form: Form) -> bool:
    """Whether a form has variables or words in it, so that it is no calculation."""
    if form.kind is not Kind.QUANTITY:
        return any(map(letters, form.parts))
    tree = read(form.text) if len(form.text) <= MAX_LENGTH else None
    return has_variables(tree) if tree else bool(re.search(r"[A-Za-z\\]", form.text))


def names(form: Form) -> tuple[str, ...]:
    """The names in a tuple of different variables, else nothing."""
    texts = tuple(key(part.text) for part in form.parts)
    letters = all(
        text.isalpha() or text.startswith("\\") or "_" in text or _VALUE_OF.match(text)
        for text in texts
    )
    return texts if letters and len(set(texts)) == len(texts) else ()


def named(form: Form) -> bool:
    """Whether an equation's left side is a name with letters, not a sum of numbers."""
    return is_name(form) and letters(form)


def assigned(form: Form) -> dict[str, Form]:
    """What `x = 1, y = 2` or `(x, y) = (1, 2)` gives to each variable, else nothing."""
    if form.kind is Kind.LIST and all(part.kind is Kind.EQUATION for part in form.parts):
        left = Form(Kind.GROUP, "()", tuple(part.parts[0] for part in form.parts))
        values = tuple(part.parts[1] for part in form.parts)
    elif form.kind is Kind.EQUATION and all(
        part.kind is Kind.GROUP and part.text != ":" for part in form.parts
    ):
        left, values = form.parts[0], form.parts[1].parts
    else:
        return {}
    if len(left.parts) != len(values) or not is_name(left):
        return {}
    return dict(zip(names(left), values, strict=True))
