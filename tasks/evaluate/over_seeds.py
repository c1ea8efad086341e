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


@cache
def t_quantile(share: float, freedom: int) -> float:
    """The value below which `share` (over 0.5) of Student's t distribution lies.

    Args:
        share: In (0.5, 1).
        freedom: Degrees of freedom, at least 1.
    """
    from mpmath import betainc

    def below(t: float) -> float:
        tail = betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True)
        return 1.0 - float(tail) / 2

    low, high = 0.0, 1.0
    while below(high) < share:
        high *= 2
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < share else (low, middle)
    return high
