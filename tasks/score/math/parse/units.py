"""The units that answers state, their names, and exact conversion between them.

Policy: two different units are a difference, unless one converts exactly into the other.

Not covered: conversion of speeds, temperatures and currencies, and between systems (a mile is no
number of kilometers that an answer would state exactly).
"""

from __future__ import annotations

from fractions import Fraction

_RUSSIAN = {
    "ruble": "ruble", "rubles": "ruble", "руб": "ruble", "руб.": "ruble", "рублей": "ruble",
    "мм": "mm", "см": "cm", "м": "m", "км": "km", "км/ч": "km/h", "м/с": "m/s", "кг": "kg",
    "г": "gram", "ч": "hour", "мин": "minute",
}  # fmt: skip
UNITS: dict[str, str] = _RUSSIAN | {
    alias: name
    for name, aliases in {
        "cent": "cent cents ¢", "dollar": "dollar dollars usd $", "euro": "euro euros €",
        "rupee": "rupee rupees ₹ rs rs.", "yen": "yen ¥",
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "m meter meters metre metres", "km": "km kilometer kilometers kilometre kilometres",
        "inch": "in inch inches", "foot": "ft foot feet", "yard": "yd yard yards",
        "mile": "mi mile miles", "mph": "mph mi/h", "km/h": "km/h kph km/hr kmh",
        "m/s": "m/s m/sec", "ft/s": "ft/s ft/sec", "gram": "g gram grams",
        "kg": "kg kilogram kilograms", "ounce": "oz ounce ounces", "pound": "lb lbs pound pounds £",
        "ml": "ml milliliter milliliters", "liter": "l liter liters litre litres",
        "second": "s sec secs second seconds", "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours", "day": "day days", "week": "week weeks",
        "month": "month months", "year": "year years", "degree": "° degree degrees",
        "radian": "rad radian radians", "am": "am a.m a.m.", "pm": "pm p.m p.m.",
    }.items()
    for alias in aliases.split()
}  # fmt: skip
PER = {
    "mile per hour": "mph", "km per hour": "km/h", "m per second": "m/s", "foot per second": "ft/s",
}  # fmt: skip
# Of each kind of unit, how many of the smallest one it has.
_SCALES: tuple[dict[str, int], ...] = (
    {"mm": 1, "cm": 10, "m": 1000, "km": 1_000_000},
    {"inch": 1, "foot": 12, "yard": 36, "mile": 63_360},
    {"gram": 1, "kg": 1000},
    {"ounce": 1, "pound": 16},
    {"ml": 1, "liter": 1000},
    {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800},
    {"month": 1, "year": 12},
    {"cent": 1, "dollar": 100},
)


def convert(source: str, target: str) -> Fraction | None:
    """How many of the target unit one source unit is; None where that is not exact.

    Units are names of `UNITS` with an optional power: "cm", "cm^2".
    """
    one, _, power = source.partition("^")
    other, _, other_power = target.partition("^")
    if power != other_power:
        return None
    for scale in _SCALES:
        if one in scale and other in scale:
            return Fraction(scale[one], scale[other]) ** int(power or 1)
    return None
