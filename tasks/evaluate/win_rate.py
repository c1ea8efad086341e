"""How often one policy's answer is preferred to another's, and what length has to do with it.

The raw win rate is the mean over problems of the win: 1 where the first policy's answer is
preferred, 0 where the other's is, 1/2 for equal ones.

The length-controlled one is that of AlpacaEval 2 (Dubois et al., arXiv 2404.04475, section 4)
without its terms for the difficulty of instructions, which need many models. It is a logistic
regression of the win on the difference of lengths, read where both are equally long:

    logit P(win) = a + b * tanh((length - other length) / s),   rate at equal length = sigmoid(a)

with s the root mean square of the differences. So it is 1 minus itself where the policies are
swapped. Where all answers are equally long it is the raw one. Where the longer answer always wins
it is 1/2: to each fit two problems of equal length are added, a win and a loss. Both together
weigh as much as the share of problems with a difference, at most 1, and draw the rate towards 1/2
by less than 1/(2n).

Both have bootstrap intervals over problems (intervals.py). Where one side wins every problem there
is no spread: the interval of the raw rate is exact, and that at equal length covers it. Where
lengths decide every win, and none are equal, nothing is known of equal lengths, and the interval
goes from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tasks.evaluate.intervals import Floats, Interval, chunks, interval, percentiles
from tasks.facts import Facts, FactsFile

# Newton's steps; with lengths that decide everything each adds about one to the slope, which ends
# near 15, else six are enough.
_STEPS = 40
_LONGEST = 2.0
# Keeps the slope finite there; in units of 1/slope^2.
_RIDGE = 1e-4
# One more Newton step changes no rate by more than about this.
_CONVERGED = 1e-9

ORACLE, JUDGE = "oracle", "judge"


@dataclass(frozen=True)
class WinRate(Facts):
    """How often the first of two policies wins.

    Attributes:
        raw: Mean of the wins.
        controlled: At equal length.
        length_ratio: Mean length of the first's answers by that of the other's.
        ties: Problems on which neither is preferred.
        unjudged: Problems left out, for the judge gave no answer.
    """

    raw: Interval
    controlled: Interval
    length_ratio: float
    ties: int = 0
    unjudged: int = 0


@dataclass(frozen=True)
class WinRates(FactsFile):
    """Win rates of one policy over another on the same problems.

    Attributes:
        by: `oracle`, `judge`: whose preference it is. A judge that gave no answer is missing.
    """

    FILE: ClassVar[str] = "win_rates.json"

    by: dict[str, WinRate] = field(default_factory=dict)


def win_rate(
    wins: Sequence[float],
    lengths: Sequence[tuple[float, float]],
    resamples: int,
    confidence: float,
    seed: int,
    unjudged: int = 0,
) -> WinRate:
    """The win rate of a policy over another.

    Args:
        wins: Of each problem: 1, 0, or between them.
        lengths: Of each problem, lengths of both answers, in any unit.
        resamples: Of the bootstrap.
        confidence: Of the intervals.
        seed: Of the bootstrap.
        unjudged: How many problems are left out.

    Raises:
        ValueError: there is no problem, or another number of lengths.
    """
    won = np.asarray(wins, dtype=np.float64)
    pairs = np.asarray(lengths, dtype=np.float64).reshape(len(lengths), 2)
    if not len(won) or len(won) != len(pairs):
        raise ValueError(f"{len(pairs)} pairs of lengths for {len(won)} problems")
    raw = interval(won, resamples, confidence, seed)
    more = pairs[:, 0] - pairs[:, 1]
    scale = float(np.sqrt(np.mean(more**2))) or 1.0
    controlled = _controlled(won, np.tanh(more / scale), raw, resamples, confidence, seed)
    totals = np.maximum(pairs.sum(axis=0), 1.0)
    ties = int((won == 0.5).sum())
    return WinRate(raw, controlled, float(totals[0] / totals[1]), ties, unjudged)


def mean_wins(
    wins: Mapping[tuple[str, int], float],
    lengths: Mapping[tuple[str, int], tuple[int, int]],
) -> tuple[list[float], list[tuple[float, float]]]:
    """Wins and lengths by problem: means over its pairs of answers.

    Args:
        wins: By problem and index.
        lengths: Of both answers; others than those of `wins` are passed over.
    """
    by_problem: dict[str, list[tuple[str, int]]] = {}
    for key in wins:
        by_problem.setdefault(key[0], []).append(key)
    groups = by_problem.values()
    sides = [np.mean([lengths[key] for key in keys], axis=0).tolist() for keys in groups]
    return [float(np.mean([wins[key] for key in keys])) for keys in groups], [
        (one, other) for one, other in sides
    ]


def _controlled(
    won: Floats, more: Floats, raw: Interval, resamples: int, confidence: float, seed: int
) -> Interval:
    """The rate at equal length; `more` is how much longer the first's answers are, in [-1, 1]."""
    value, count = float(_at_equal_length(won[None], more[None])[0]), len(won)
    if not more.any():
        return raw
    if _decided_by_length(won, more):
        return Interval(value, 0.0, 1.0, count)
    if won.min() == won.max():
        return Interval(value, min(raw.low, value), max(raw.high, value), count)
    generator, draws = np.random.default_rng(seed), []
    for size in chunks(resamples, count):
        at = generator.integers(0, count, size=(size, count))
        draws.append(_at_equal_length(won[at], more[at]))
    low, high = percentiles(np.concatenate(draws), confidence)
    return Interval(value, min(low, value), max(high, value), count)


def _decided_by_length(won: Floats, more: Floats) -> bool:
    """Whether lengths separate wins from losses; where one of both is missing, differ in one way.

    The same for both policies.
    """
    if (more == 0).any():
        return False
    wins, losses = more[won > 0.5], more[won < 0.5]
    if not len(wins) or not len(losses):
        return bool((more > 0).all() or (more < 0).all())
    return bool(wins.min() > losses.max() or wins.max() < losses.min())


def _at_equal_length(won: Floats, more: Floats) -> Floats:
    """sigmoid(a) of one fit a row, shape [fits]; both arguments [fits, problems]."""
    rows = len(won)
    # What is added weighs as many problems as differ in length, by their share.
    added = (more != 0).mean(axis=1) / 2.0
    a, b = np.zeros(rows), np.zeros(rows)
    for _ in range(_STEPS):
        mean, middle = _sigmoid(a[:, None] + b[:, None] * more), _sigmoid(a)
        left, spread = won - mean, mean * (1.0 - mean)
        g0 = left.sum(1) + added * (1.0 - 2.0 * middle)
        g1 = (left * more).sum(1) - _RIDGE * b
        h00 = spread.sum(1) + 2.0 * added * middle * (1.0 - middle) + 1e-12
        h01, h11 = (spread * more).sum(1), (spread * more * more).sum(1) + _RIDGE
        determinant = h00 * h11 - h01 * h01
        step_a = np.clip((h11 * g0 - h01 * g1) / determinant, -_LONGEST, _LONGEST)
        step_b = np.clip((h00 * g1 - h01 * g0) / determinant, -_LONGEST, _LONGEST)
        a, b = a + step_a, b + step_b
        if max(np.abs(step_a).max(), np.abs(step_b).max()) < _CONVERGED:
            break
    return _sigmoid(a)


def _sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -30, 30)))
