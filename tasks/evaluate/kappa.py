"""How far two people, or a person and a model, agree on which of two samples is better.

Cohen's kappa (1960) is the agreement beyond what two raters with these habits have by chance,

    kappa = (po - pe) / (1 - pe),

po being the share of pairs on which both say the same (the first, the second, or a tie), pe the sum
over these three of the product of both raters' shares. Intervals are bootstrap intervals over
problems, whose pairs hang together, with pe formed anew in each resample. Where few problems have a
pair on which the two agree, or differ, an end is no nearer than that of po's own interval
(weighted_rates.py) with pe as it is.

Not covered: more than two raters at once, and weights for how far apart two answers are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from tasks.evaluate.intervals import Floats, Interval, chunks, percentiles
from tasks.evaluate.weighted_rates import FEW, Rate, rate_interval
from tasks.facts import Facts


class Preference(IntEnum):
    """What a rater says of a pair."""

    FIRST = 0
    TIE = 1
    SECOND = 2

    @staticmethod
    def of(p: float) -> Preference:
        """By the probability that the first is the better one."""
        if p == 0.5:
            return Preference.TIE
        return Preference.FIRST if p > 0.5 else Preference.SECOND


@dataclass(frozen=True)
class RatedPair:
    """A pair that both raters looked at."""

    problem_id: str
    one: Preference
    other: Preference


@dataclass(frozen=True)
class KappaFacts(Facts):
    """Agreement of two raters.

    Attributes:
        pairs: That both looked at.
        share: On which they say the same.
        kappa: Cohen's; None where it is not defined, as both always say one and the same.
    """

    pairs: int
    share: Interval
    kappa: Interval | None


_SIZE = len(Preference)
# A problem's columns: how often one said a and the other b, at a * 3 + b.
_AGREED = [n * _SIZE + n for n in range(_SIZE)]
_SHARE = Rate(lambda sums: sums[..., _AGREED].sum(axis=-1), lambda sums: sums.sum(axis=-1))


def agreement_of(
    pairs: Iterable[RatedPair], resamples: int, confidence: float, seed: int
) -> KappaFacts | None:
    """Agreement of two raters; None without a pair.

    Args:
        pairs: That both looked at.
        resamples: Of the bootstrap.
        confidence: Of the intervals.
        seed: Of the bootstrap.
    """
    by_problem: dict[str, Floats] = {}
    for pair in pairs:
        counts = by_problem.setdefault(pair.problem_id, np.zeros(_SIZE * _SIZE))
        counts[pair.one * _SIZE + pair.other] += 1
    if not by_problem:
        return None
    columns = np.array(list(by_problem.values()))
    share = rate_interval(columns, _SHARE, resamples, confidence, seed)
    assert share is not None  # each problem has a pair
    return KappaFacts(
        int(columns.sum()), share, _kappa_interval(columns, share, resamples, confidence, seed)
    )


def _kappa_interval(
    columns: Floats, share: Interval, resamples: int, confidence: float, seed: int
) -> Interval | None:
    sums = columns.sum(axis=0)
    chance = float(_by_chance(sums))
    if chance == 1.0:
        return None
    value = float(_kappa(sums))
    count, generator, draws = len(columns), np.random.default_rng(seed), list[Floats]()
    for size in chunks(resamples, count):
        times = generator.multinomial(count, np.full(count, 1.0 / count), size=size)
        draws.append(_kappa(times.astype(np.float64) @ columns))
    drawn = np.concatenate(draws)
    drawn = drawn[~np.isnan(drawn)]
    low, high = percentiles(drawn, confidence) if len(drawn) else (value, value)
    agreed = int((_SHARE.part(columns) > 0).sum())
    differed = int((_SHARE.whole(columns) - _SHARE.part(columns) > 0).sum())
    if differed < FEW:
        low = min(low, (share.low - chance) / (1 - chance))
    if agreed < FEW:
        high = max(high, (share.high - chance) / (1 - chance))
    return Interval(value, max(-1.0, min(low, value)), min(1.0, max(high, value)), count)


def _by_chance(sums: Floats) -> Floats:
    """Agreement by chance, pe, of each table, shape (..., 9) -> (...)."""
    table = sums.reshape(*sums.shape[:-1], _SIZE, _SIZE)
    total = sums.sum(axis=-1)
    return (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2


def _kappa(sums: Floats) -> Floats:
    """Kappa of each table; not a number where it is not defined."""
    chance = _by_chance(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1.0, (_SHARE.of(sums) - chance) / (1.0 - chance), np.nan)
