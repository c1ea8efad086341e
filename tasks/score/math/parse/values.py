"""The value of an expression tree: exact as a fraction, or about as a complex number.

Exact values settle most answers. Approximate ones only ever reject: two expressions that differ
at one point by far more than rounding are not the same; those that agree go to symbolic.py.
"""

from __future__ import annotations

import cmath
import functools
import math
import random
from fractions import Fraction

from tasks.score.math.limits import MAX_ANGLE, MAX_BINOMIAL, MAX_BITS, MAX_EXPONENT, MAX_FACTORIAL
from tasks.score.math.parse.syntax import Refused, Tree, parts_of

# Rounding errors of the few dozen operations of an answer stay far below this share of the
# largest intermediate value.
TOLERANCE = 1e-7


def exact(tree: Tree) -> Fraction | None:
    """The rational value, or None where it is not rational by plain arithmetic.

    Raises:
        Refused: a power or factorial over the limits.
    """
    kind = tree[0]
    if kind == "num":
        return tree[1]
    if kind in ("sym", "const", "fn", "log", "root"):
        if kind == "root":
            exact(tree[1])
        return None
    values = [exact(part) for part in tree[1:]]
    if kind == "pow":
        return power(values[0], values[1])
    first = values[0]
    if kind == "fact":
        return None if first is None else Fraction(factorial(first))
    if any(value is None for value in values):
        return None
    numbers = [value for value in values if value is not None]
    return _bounded(_apply(kind, numbers))


def power(base: Fraction | None, exponent: Fraction | None) -> Fraction | None:
    """The power where that is rational and small enough."""
    if exponent is None:
        return None
    if abs(exponent) > MAX_EXPONENT:
        raise Refused(f"an exponent over {MAX_EXPONENT}")
    if base is None or exponent.denominator != 1 or (base == 0 and exponent <= 0):
        return None
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits > 1 and bits * abs(exponent) > MAX_BITS:
        raise Refused(f"a power of more than {MAX_BITS} bits")
    return base**exponent.numerator


@functools.lru_cache(maxsize=256)
def factorial(value: Fraction) -> int:
    """value!, for a natural number within the limit."""
    if value.denominator != 1 or not 0 <= value <= MAX_FACTORIAL:
        raise Refused(f"a factorial outside 0..{MAX_FACTORIAL}")
    return math.factorial(value.numerator)


def differ(a: Tree, b: Tree) -> bool:
    """Whether two expressions certainly have different values."""
    left, right = _about(a), _about(b)
    if left is None or right is None:
        return False
    scale = max(left[1], right[1], 1e-300)
    return abs(left[0] - right[0]) > TOLERANCE * scale


def real(tree: Tree) -> float | None:
    """About the value of an expression without variables, where it is real."""
    value = exact(tree)
    if value is not None:
        return float(value)
    about = None if has_variables(tree) else _about(tree)
    return about[0].real if about and abs(about[0].imag) <= 1e-12 * about[1] else None


def has_variables(tree: Tree) -> bool:
    """Whether an expression has letters other than pi, e and i."""
    return tree[0] == "sym" or any(has_variables(part) for part in parts_of(tree))


def rounds_to(decimal: str, tree: Tree) -> bool:
    """Whether a decimal is a real value, rounded to its last place or cut off after it."""
    unit = Fraction(1, 10 ** len(decimal.partition(".")[2]))
    number, value, noise = Fraction(decimal), exact(tree), Fraction(0)
    if value is None:
        about = _about(tree)
        if about is None or abs(about[0].imag) > 1e-12 * about[1]:
            return False
        # A float, and so may the decimal be: its last places say nothing.
        value, noise = Fraction(about[0].real), Fraction(4e-16 * max(about[1], 1e-300))
    away = abs(number - value)
    cut_off = number * value > 0 and abs(number) <= abs(value) and away < unit
    return away <= unit / 2 + noise or cut_off


# A part of a set is compared with many others.
@functools.lru_cache(maxsize=1024)
def _about(tree: Tree) -> tuple[complex, float] | None:
    scale = [0.0]
    try:
        value = _evaluate(tree, scale)
    except (ArithmeticError, ValueError, _Unsure):
        return None
    return (value, scale[0]) if cmath.isfinite(value) else None


class _Unsure(Exception):
    """The approximate value would say nothing."""


def _evaluate(tree: Tree, scale: list[float]) -> complex:
    """Value at a fixed point of the variables; scale[0] becomes the largest size on the way."""
    kind = tree[0]
    if kind == "num":
        value: complex = complex(float(tree[1]))
    elif kind == "sym":
        value = _point(tree[1])
    elif kind == "const":
        if tree[1] == "oo":
            raise _Unsure
        value = {"pi": math.pi, "e": math.e, "i": 1j}[tree[1]]
    else:
        parts = [_evaluate(part, scale) for part in parts_of(tree)]
        value = _operate(tree, parts, scale[0])
    scale[0] = max(scale[0], abs(value))
    return value


def _operate(tree: Tree, parts: list[complex], scale: float) -> complex:
    kind = tree[0]
    if kind == "neg":
        return 0 - parts[0]  # -z has a negative zero, and with it the other root
    if kind == "add":
        return parts[0] + parts[1]
    if kind == "mul":
        return parts[0] * parts[1]
    if kind == "div":
        if abs(parts[1]) < 1e-6 * scale:  # a small divisor magnifies rounding
            raise _Unsure
        return parts[0] / parts[1]
    if kind == "pow":
        return parts[0] ** parts[1]
    if kind == "root":
        if parts[0].imag == 0 > parts[0].real and parts[1].imag == 0 and parts[1].real % 2 == 1:
            return -((-parts[0]) ** (1 / parts[1]))  # the real root, as answers mean it
        return parts[0] ** (1 / parts[1])
    if kind == "log":
        return cmath.log(parts[1]) / cmath.log(parts[0])
    if kind == "fn":
        return _function(tree[1], parts[0])
    raise _Unsure


def _function(name: str, x: complex) -> complex:
    if abs(x) > MAX_ANGLE or abs(x) < 1e-6:
        raise _Unsure
    if name == "abs":
        return complex(abs(x))
    if name in ("ln", "log"):  # log without a base is read as either; symbolic.py says which
        if name == "log":
            raise _Unsure
        return cmath.log(x)
    if name in ("cot", "sec", "csc"):
        return 1 / {"cot": cmath.tan, "sec": cmath.cos, "csc": cmath.sin}[name](x)
    names = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}
    return getattr(cmath, names.get(name, name))(x)


@functools.lru_cache(maxsize=1024)
def _point(name: str) -> complex:
    """A fixed value for a variable: positive, in no special relation to others."""
    return complex(random.Random(name).uniform(0.6, 1.9))


def _apply(kind: str, numbers: list[Fraction]) -> Fraction | None:
    if kind == "neg":
        return -numbers[0]
    a, b = numbers
    if kind == "add":
        return a + b
    if kind == "mul":
        return a * b
    if kind == "div":
        return a / b if b else None
    if kind == "binom":
        if a.denominator != 1 or b.denominator != 1 or not 0 <= b <= a <= MAX_BINOMIAL:
            raise Refused(f"a binomial outside 0..{MAX_BINOMIAL}")
        return Fraction(math.comb(a.numerator, b.numerator))
    return None


def _bounded(value: Fraction | None) -> Fraction | None:
    if value is not None and (
        value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS
    ):
        raise Refused(f"a number of more than {MAX_BITS} bits")
    return value
