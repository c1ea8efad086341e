"""Intervals over seeds: how far a mean would move with other samples and another training order.

Student's t (Student 1908, Biometrika 6): a handful of runs, each with its own seed, are a small
sample of a roughly normal quantity. Not covered: other problems, for which there is the bootstrap
over problems (intervals.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from tasks.evaluate.intervals import Interval


def over_seeds(values: Sequence[float], confidence: float) -> Interval:
    """The mean of one value a seed, with its interval; of a single one, the value alone.

    Args:
        values: At least one.

    Returns:
        An Interval whose `problems` is the number of seeds.
    """
    count = len(values)
    mean = sum(values) / count
    if count == 1:
        return Interval(mean, mean, mean, 1)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    reach = t_quantile(0.5 + confidence / 2, count - 1) * spread / math.sqrt(count)
    return Interval(mean, mean - reach, mean + reach, count)


def p_of_mean(values: Sequence[float]) -> float:
    """How likely a mean as far from 0, or further, would be by chance (t-test, two-sided).

    Args:
        values: One a seed, such as differences of two runs of the same seed.

    Returns:
        p in [0, 1]; 1 for fewer than two values.
    """
    count = len(values)
    if count < 2:
        return 1.0
    mean = sum(values) / count
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    if spread == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return 2 * (1 - t_below(abs(mean) * math.sqrt(count) / spread, count - 1))


def holm(values: Sequence[float]) -> list[float]:
    """Adjust the p of several tests, so that all of them together err as seldom as one alone.

    The step-down rule of Holm (1979, Scandinavian Journal of Statistics 6).

    Args:
        values: p of each test.

    Returns:
        The adjusted ones, in the same order, at most 1.
    """
    adjusted = [0.0] * len(values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, (len(values) - place) * values[index])
        adjusted[index] = min(1.0, highest)
    return adjusted


def t_below(t: float, freedom: int) -> float:
    """The share of Student's t distribution below `t`, which is not negative.

    Args:
        t: The value.
        freedom: Degrees of freedom, at least 1.
    """
    from mpmath import betainc

    tail = betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True)
    return 1.0 - float(tail) / 2


@cache
def t_quantile(share: float, freedom: int) -> float:
    """The value below which `share` (over 0.5) of Student's t distribution lies.

    Args:
        share: In (0.5, 1).
        freedom: Degrees of freedom, at least 1.
    """
    low, high = 0.0, 1.0
    while t_below(high, freedom) < share:
        high *= 2
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, freedom) < share else (low, middle)
    return high
