"""Symbolic equality with sympy: only for what the exact rules left open, only in worker processes.

Our own tree (syntax.py) becomes a sympy expression, node by node. What our reader does not know is
read by latex2sympy2_extended, under limits on its text. No text is ever given to sympify,
parse_expr or eval. The limits keep honest answers fast; what passes them and still runs long is
killed by the pool.

Not covered: branch cuts and domains (sqrt(x^2) is not x), piecewise functions, assumptions.
"""

# pyright: basic
# sympy has no types.

from __future__ import annotations

import re

import sympy

from tasks.score.math.compare.points import same_at_points
from tasks.score.math.limits import (
    MAX_LATEX,
    MAX_LATEX_DEPTH,
    MAX_LATEX_DIGITS,
    MAX_LATEX_POWERS,
    MAX_LETTERS,
    MAX_OPERATIONS,
    MAX_POLYNOMIAL_POWER,
    MAX_SYMBOLS,
)
from tasks.score.math.parse.syntax import Refused, Tree, read
from tasks.score.math.parse.values import exact, factorial, has_variables

# Digits to which two constants that sympy cannot prove equal must agree.
PRECISION = 60
AGREEMENT = sympy.Rational(1, 10**45)
# Those that agree so far are looked at once more: 2^(1/2^1000) is not 1.
MANY_DIGITS = 1000
FAR_AGREEMENT = sympy.Rational(1, 10**900)

_DIGITS = re.compile(r"\d+")
_LONG_EXPONENT = re.compile(r"\^\s*\{?\s*\(?-?\s*\d{4,}|\^[^+\-*/=]*\^")
# The bounds of a sum or an integral are no exponents.
_BOUNDS = re.compile(
    r"(\\(?:int|sum|prod))\s*_\s*(?:\{[^{}]*\}|\w)\s*\^\s*(?:\{[^{}^]*\}|[A-Za-z]|\d(?!\d))"
)
# There i is an index, not the imaginary unit.
_SUM = re.compile(r"\\(?:sum|prod)(?![A-Za-z])")
_PLAIN_LOG = re.compile(r"\\?log(?![A-Za-z_])")
_DECIMAL = re.compile(r"(\d+)\.(\d+)")


class Unreadable(Refused):
    """Not mathematics as far as we can tell, so not equal to what is."""


def same(a: str, b: str) -> bool:
    """Whether two expressions, equations `(l)=(r)` or inequalities `(l)<(r)` are equal.

    Raises:
        Refused: over a limit, or neither side is readable.
    """
    a, b = sorted((a, b))  # symmetric by construction
    for sign in (")=(", ")<("):
        if sign in a and sign in b:
            return _same_sides(a, b, sign)
    if _common_log(a, b):
        return True
    left, right = _readable(a), _readable(b)
    if left is None and right is None:
        raise Refused("neither side is readable as mathematics")
    if left is None or right is None:
        return False
    return _equal(left, right)


def _common_log(a: str, b: str) -> bool:
    r"""Whether two constants are equal with \\log to the base 10; as \\ln it is read elsewhere."""
    if not any(_PLAIN_LOG.search(text) for text in (a, b)):
        return False
    built = []
    for text in (a, b):
        tree = read(_PLAIN_LOG.sub(r"\\log_{10}", text))
        if tree is None or has_variables(tree):
            return False
        exact(tree)  # refuses what is too large
        built.append(_build(tree))
    return _equal(*built)


def _readable(text: str) -> sympy.Expr | None:
    try:
        return expression(text)
    except Unreadable:
        return None


def _same_sides(a: str, b: str, sign: str) -> bool:
    """The same if the sides' differences are, up to a factor; a positive one of an inequality."""
    differences = []
    for text in (a, b):
        left, right = text.split(sign)
        differences.append(expression(left + ")") - expression("(" + right))
    first, second = (sympy.expand(one) for one in differences)
    if first == 0 or second == 0:
        return first == second
    ratio = sympy.cancel(first / second)
    if not (ratio.is_number and ratio != 0 and ratio.is_finite):
        return False
    return sign == ")=(" or bool(ratio.is_positive)


def expression(text: str) -> sympy.Expr:
    """A canonical text as a sympy expression."""
    tree = read(text)
    if tree is not None:
        exact(tree)  # refuses huge powers and factorials before sympy computes them
        built = _build(tree)
    else:
        built = _latex(text)
    if sympy.count_ops(built) > MAX_OPERATIONS:
        raise Refused(f"more than {MAX_OPERATIONS} operations")
    if len(built.free_symbols) > MAX_LETTERS:
        raise Refused(f"more than {MAX_LETTERS} variables")
    return built


def _build(tree: Tree) -> sympy.Expr:
    kind = tree[0]
    if kind == "num":
        return sympy.Rational(tree[1].numerator, tree[1].denominator)
    if kind == "sym":
        return sympy.Symbol(tree[1])
    if kind == "const":
        return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}[tree[1]]
    if kind == "fn":
        return _function(tree[1], _build(tree[2]))
    if kind == "fact":
        value = exact(tree[1])
        if value is None:
            return sympy.factorial(_build(tree[1]))
        return sympy.Integer(factorial(value))
    parts = [_build(part) for part in tree[1:]]
    return _COMBINE[kind](*parts)


def _function(name: str, argument: sympy.Expr) -> sympy.Expr:
    names = {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "abs": "Abs"}
    return getattr(sympy, names.get(name, name))(argument)


def _power(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
    if base.is_zero and exponent.is_number and not exponent.is_positive:
        raise Unreadable("zero to a power that is not positive has no value")
    symbolic_sum = base.is_Add and base.free_symbols
    if symbolic_sum and exponent.is_number and abs(exponent) > MAX_POLYNOMIAL_POWER:
        raise Refused(f"a power of a sum over {MAX_POLYNOMIAL_POWER}")
    return sympy.Pow(base, exponent)


def _root(a: sympy.Expr, degree: sympy.Expr) -> sympy.Expr:
    """The real root of a negative number where there is one, as answers mean it."""
    if degree.is_Integer and degree % 2 == 1 and a.is_number and a.is_negative:
        return -sympy.Pow(-a, 1 / degree)
    return sympy.Pow(a, 1 / degree)


_COMBINE = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pow": _power,
    "root": _root,
    "log": lambda base, a: sympy.log(a, base),
    "binom": lambda n, k: sympy.binomial(n, k),
}


def _latex(text: str) -> sympy.Expr:
    """What the LaTeX library makes of a text that our own reader does not know."""
    _check_latex(text)
    from latex2sympy2_extended import latex2sympy

    # Decimals become fractions, or sympy would compare them as floats.
    text = _DECIMAL.sub(lambda d: rf"{{\frac{{{int(d[1] + d[2])}}}{{{10 ** len(d[2])}}}}}", text)
    try:
        built = latex2sympy(text, is_real=False)
    except (RecursionError, MemoryError):
        raise
    except Exception as error:  # the library raises bare Exception on what it cannot read
        raise Unreadable(f"not readable as mathematics: {type(error).__name__}") from None
    if not isinstance(built, sympy.Expr):
        raise Unreadable("not an expression")
    built = built.doit()
    # The library's symbols have assumptions of their own; ours have none.
    built = built.xreplace({one: sympy.Symbol(one.name) for one in built.free_symbols})
    return built if _SUM.search(text) else built.subs(sympy.Symbol("i"), sympy.I)


def _check_latex(text: str) -> None:
    if len(text) > MAX_LATEX:
        raise Refused(f"longer than {MAX_LATEX} characters")
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_LATEX_DEPTH:
        raise Refused(f"nested deeper than {MAX_LATEX_DEPTH}")
    if any(len(digits) > MAX_LATEX_DIGITS for digits in _DIGITS.findall(text)):
        raise Refused(f"a number of more than {MAX_LATEX_DIGITS} digits")
    text = _BOUNDS.sub(r"\1", text)
    if text.count("^") > MAX_LATEX_POWERS or _LONG_EXPONENT.search(text):
        raise Refused("a power tower or a long exponent")
    if "!" in text:
        raise Refused("a factorial in an unknown expression")


def _equal(a: sympy.Expr, b: sympy.Expr) -> bool:
    if a.has(sympy.zoo, sympy.nan) or b.has(sympy.zoo, sympy.nan):
        return False  # 1/0 is no value, so it is not 2/0 either
    if a == b:
        return True
    if a.free_symbols != b.free_symbols:
        if len(a.free_symbols | b.free_symbols) > MAX_SYMBOLS:
            return False
        a, b = sympy.simplify(a), sympy.simplify(b)
        if a.free_symbols != b.free_symbols:
            return False
    if not a.is_finite and not a.free_symbols:
        return a == b
    difference = a - b
    if difference.free_symbols:
        return _same_function(a, b, difference)
    return _zero_constant(difference, a)


def _zero_constant(difference: sympy.Expr, size: sympy.Expr) -> bool:
    """A constant is zero if sympy proves it, or if it vanishes to many digits."""
    if difference.is_Rational:
        return bool(difference == 0)
    value = sympy.Abs(sympy.N(difference, PRECISION))
    scale = sympy.Abs(sympy.N(size, PRECISION))
    if not (value.is_Float or value.is_Integer) or not (scale.is_Float or scale.is_Integer):
        return sympy.simplify(difference) == 0
    # Relative, so that 1/2004! and 1/2006! are told apart although both are nearly zero.
    if scale == 0 or value > AGREEMENT * scale:
        return bool(scale == 0 and value == 0)
    further = sympy.Abs(sympy.N(difference, MANY_DIGITS))
    return not (further.is_Float or further.is_Integer) or bool(further <= FAR_AGREEMENT * scale)


def _same_function(a: sympy.Expr, b: sympy.Expr, difference: sympy.Expr) -> bool:
    """By expansion, by values at points, which reject early, and by simplification."""
    if sympy.expand(difference) == 0:
        return True
    seen = same_at_points(a, b)
    if seen is False:
        return False
    if len(difference.free_symbols) <= MAX_SYMBOLS and sympy.simplify(difference) == 0:
        return True
    return seen is True
