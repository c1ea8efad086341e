"""Bootstrap intervals over problems.

A benchmark is a draw of problems, so the problem, not the sample, is what is resampled: percentile
intervals (Efron & Tibshirani 1993, chapter 13) with a seeded generator. Two metrics over the same
number of problems are resampled by the same indices, so their intervals are comparable.

Where all problems score the same (a tiny set, an accuracy of 0 or 1) a resample shows no spread,
and an interval of no width would claim certainty. There the exact bound is taken instead: a share
of problems larger than 1 - (alpha/2)^(1/n) would have shown itself with probability 1 - alpha/2
(Clopper & Pearson 1934).

Not covered: the spread from sampling and training seeds, and bias-corrected (BCa) intervals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.facts import Facts

Floats = npt.NDArray[np.float64]
# Indices drawn at once: 32 MB of them.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Interval(Facts):
    """An estimate, its interval, and how many problems it rests on."""

    value: float
    low: float
    high: float
    problems: int


def interval(
    values: Sequence[float] | Floats,
    resamples: int,
    confidence: float,
    seed: int,
    *,
    floor: float = 0.0,
    ceiling: float = 1.0,
) -> Interval:
    """Mean over problems with its percentile bootstrap interval.

    Args:
        values: One score a problem, shape (problems,), each in [floor, ceiling].
        confidence: Level, such as 0.95.
        floor: Smallest possible score.
        ceiling: Largest possible score.

    Raises:
        ValueError: There is no problem.
    """
    scores = _scores(values)
    if scores.min() == scores.max():
        value = float(scores[0])
        unseen = 1.0 - ((1.0 - confidence) / 2.0) ** (1.0 / len(scores))
        low = value - unseen * (value - floor)
        return Interval(value, low, value + unseen * (ceiling - value), len(scores))
    low, high = percentiles(_means(scores, resamples, seed), confidence)
    return Interval(float(scores.mean()), low, high, len(scores))


def paired_difference(
    before: Sequence[float] | Floats,
    after: Sequence[float] | Floats,
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """Mean of after - before on the same problems, problems resampled in pairs.

    Raises:
        ValueError: The two differ in length, or there is no problem.
    """
    first, second = _scores(before), _scores(after)
    if first.shape != second.shape:
        raise ValueError(f"paired scores differ in number: {len(first)} and {len(second)}")
    return interval(second - first, resamples, confidence, seed, floor=-1.0, ceiling=1.0)


def unpaired_difference(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """Mean of first minus mean of second, two different sets of problems.

    `problems` of the result is the size of the smaller set.

    Raises:
        ValueError: One of them has no problem.
    """
    one, two = _scores(first), _scores(second)
    value = float(one.mean() - two.mean())
    count = min(len(one), len(two))
    if one.min() == one.max() or two.min() == two.max():
        a = interval(one, resamples, confidence, seed)
        b = interval(two, resamples, confidence, seed + 1)
        return Interval(value, *square_and_add(a, b), count)
    draws = _means(one, resamples, seed) - _means(two, resamples, seed + 1)
    return Interval(value, *percentiles(draws, confidence), count)


def square_and_add(first: Interval, second: Interval) -> tuple[float, float]:
    """Interval of first - second from two independent intervals (Newcombe 1998, method 10)."""
    value = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return value - below, value + above


def _scores(values: Sequence[float] | Floats) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError("an interval needs the scores of at least one problem")
    return scores


def _means(scores: Floats, resamples: int, seed: int) -> Floats:
    """Means of `resamples` resamples with replacement, shape (resamples,)."""
    generator = np.random.default_rng(seed)
    count = len(scores)
    shapes = ((size, count) for size in chunks(resamples, count))
    return np.concatenate(
        [scores[generator.integers(0, count, size=shape)].mean(axis=1) for shape in shapes]
    )


def chunks(resamples: int, count: int) -> Iterator[int]:
    """How many resamples of `count` problems are drawn at once, until there are `resamples`."""
    rows = max(1, _CHUNK // count)
    return (min(rows, resamples - start) for start in range(0, resamples, rows))


def percentiles(draws: Floats, confidence: float) -> tuple[float, float]:
    """The ends of the percentile interval of what was drawn, shape (resamples,)."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)
