"""Values of two expressions at points: what differs there is not the same."""

# pyright: basic
# sympy has no types.

from __future__ import annotations

from random import Random

import sympy

from tasks.score.math.limits import AGREEING, POINTS

# At a point both sides are known to so many digits, and agree to fewer.
POINT_DIGITS = 30
POINT_AGREEMENT = sympy.Rational(1, 10**20)


def same_at_points(a: sympy.Expr, b: sympy.Expr) -> bool | None:
    """Whether two expressions agree wherever both are real; None where that says too little.

    In one variable both must be real at the same points: ln(x^2) is not 2 ln x. Several letters are
    lengths, masses and the like, and positive, so that ln(ab) is ln a + ln b; but the square root
    of a square is not what was squared.
    """
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    signed = len(symbols) == 1 or _minds_signs(a) or _minds_signs(b)
    agreed, everywhere = 0, True
    for number in range(POINTS):
        random = Random(number)
        # Positive ones below 1 first, then any: angles and roots are real there.
        low, high = ((0, 1), (0, 3), (-3 if signed else 0, 3))[number * 3 // POINTS]
        point = {one: sympy.Rational(random.randint(low * 997, high * 997), 997) for one in symbols}
        if number == POINTS - 1:  # floors and remainders differ at whole numbers
            point = {one: sympy.Integer(at + 2) for at, one in enumerate(symbols)}
        elif signed and number == POINTS - 2:
            point = {one: -abs(value) for one, value in point.items()}
        left, right = _at(a, point), _at(b, point)
        if left is None and right is None:
            continue
        if left is None or right is None:
            everywhere = everywhere and len(symbols) > 1
            continue
        if abs(left - right) > POINT_AGREEMENT * max(abs(left), abs(right)):
            return False
        agreed += 1
    return True if everywhere and agreed >= AGREEING else None


def _minds_signs(expression: sympy.Expr) -> bool:
    """Whether it has a modulus, or a root of an even power: both are what they are for signs."""
    if expression.has(sympy.Abs):
        return True
    return any(
        one.exp.is_Rational
        and one.exp.q % 2 == 0
        and any(
            factor.is_Pow
            and factor.exp.is_Integer
            and factor.exp % 2 == 0
            and factor.base.is_Symbol
            for factor in sympy.Mul.make_args(one.base)
        )
        for one in expression.atoms(sympy.Pow)
    )


def _at(expression: sympy.Expr, point: dict[sympy.Symbol, sympy.Rational]) -> sympy.Expr | None:
    """The real value at a point, or None where it has none."""
    value = sympy.N(expression.subs(point), POINT_DIGITS)
    if value.is_Float or value.is_Integer or value.is_Rational:
        return value if value.is_finite else None
    real, imaginary = value.as_real_imag()
    small = imaginary.is_number and abs(imaginary) <= POINT_AGREEMENT * abs(real)
    return real if small and real.is_Float else None
