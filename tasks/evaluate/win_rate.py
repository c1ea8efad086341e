"""How often one policy's answer is preferred to another's, and what length has to do with it.

The raw win rate is the mean over problems of p, the probability that the first policy's answer is
the better one (1/2 for equal ones). The length-controlled one follows Lee et al. (arXiv 2309.00267,
appendix on length): a logistic regression of p on the ratio of lengths, read where both are equally
long,

    logit P(win) = a + b * (length / other length - 1),    win rate at equal length = sigmoid(a).

Both have bootstrap intervals over problems (intervals.py). To each fit two pseudo-problems of equal
length are added, a win and a loss of half a problem each, so that it exists where one side always
wins; they draw the rate towards 1/2 by less than 1/(2n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.evaluate.intervals import Floats, Interval, chunks, interval, percentiles
from tasks.facts import Facts

# Newton's steps; it has converged to rounding after about six.
_STEPS = 25
# Keeps a slope finite where lengths alone decide every problem; in units of 1/slope^2.
_RIDGE = 0.01
_PSEUDO = 0.5


@dataclass(frozen=True)
class WinRate(Facts):
    """How often the first of two policies wins.

    Attributes:
        raw: Mean of p.
        controlled: At equal length.
        length_ratio: Mean over problems of the first's length by the other's.
    """

    raw: Interval
    controlled: Interval
    length_ratio: float


def win_rate(
    p: Sequence[float],
    lengths: Sequence[tuple[int, int]],
    resamples: int,
    confidence: float,
    seed: int,
) -> WinRate:
    """The win rate of a policy over another.

    Args:
        p: Of each problem, the probability that its answer is preferred.
        lengths: Of each problem, lengths of both answers, in any unit; at least 1 is taken.
        resamples: Of the bootstrap.
        confidence: Of the intervals.
        seed: Of the bootstrap.

    Raises:
        ValueError: there is no problem, or another number of lengths.
    """
    wins = np.asarray(p, dtype=np.float64)
    pairs = np.maximum(np.asarray(lengths, dtype=np.float64), 1.0).reshape(len(lengths), 2)
    if not len(wins) or len(wins) != len(pairs):
        raise ValueError(f"{len(pairs)} pairs of lengths for {len(wins)} problems")
    ratio = pairs[:, 0] / pairs[:, 1]
    generator, draws = np.random.default_rng(seed), []
    for size in chunks(resamples, len(wins)):
        at = generator.integers(0, len(wins), size=(size, len(wins)))
        draws.append(_at_equal_length(wins[at], ratio[at] - 1.0))
    low, high = percentiles(np.concatenate(draws), confidence)
    value = float(_at_equal_length(wins[None], ratio[None] - 1.0)[0])
    return WinRate(
        interval(wins, resamples, confidence, seed),
        Interval(value, min(low, value), max(high, value), len(wins)),
        float(ratio.mean()),
    )


def _at_equal_length(wins: Floats, excess: Floats) -> Floats:
    """sigmoid(a) of one fit a row, shape [fits]; both arguments [fits, problems]."""
    rows = len(wins)
    pseudo = np.tile([1.0, 0.0], (rows, 1))
    y, x = np.hstack([wins, pseudo]), np.hstack([excess, np.zeros((rows, 2))])
    weight = np.hstack([np.ones_like(wins), np.full((rows, 2), _PSEUDO)])
    a, b = np.zeros(rows), np.zeros(rows)
    for _ in range(_STEPS):
        mean = 1.0 / (1.0 + np.exp(-np.clip(a[:, None] + b[:, None] * x, -30, 30)))
        left, spread = weight * (y - mean), weight * mean * (1.0 - mean)
        g0, g1 = left.sum(1), (left * x).sum(1) - _RIDGE * b
        h00, h01, h11 = spread.sum(1), (spread * x).sum(1), (spread * x * x).sum(1) + _RIDGE
        det = h00 * h11 - h01 * h01
        a = a + np.clip((h11 * g0 - h01 * g1) / det, -2, 2)
        b = b + np.clip((h00 * g1 - h01 * g0) / det, -2, 2)
    return 1.0 / (1.0 + np.exp(-a))
