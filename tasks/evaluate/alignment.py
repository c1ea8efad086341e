"""How far a labeller's preferences are those of a reference: people, or an oracle.

Alignment is the share of pairs on which both prefer the same sample (Lee et al., arXiv 2309.00267,
section 3.3); a labeller that is undecided (p = 1/2) is right by half. Pairs on which the reference
is undecided are left out. Intervals are bootstrap intervals over problems, whose pairs hang
together.

The share of answers that stay with the position is that of pairs which were asked in both orders
and on which the labeller preferred the same *place* both times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tasks.evaluate.intervals import Interval, interval, percentiles
from tasks.facts import Facts
from tasks.rows import Row

# Of the labeller's p in favour of what it prefers: edges of the bins of calibration.
_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

PairKey = tuple[str, int, int]


@dataclass(frozen=True)
class Calibrated(Facts):
    """Pairs on which a labeller was about equally sure."""

    low: float
    high: float
    pairs: int
    sure: float  # mean of its p for the sample that it prefers
    right: float  # share of them on which the reference agrees


@dataclass(frozen=True)
class Alignment(Facts):
    """Agreement of a labeller with a reference.

    Attributes:
        agreement: Share of pairs, with its interval over problems.
        pairs: How many were compared.
        same_place: Share that stays with the position, of pairs asked in both orders; None: none.
        first_place: Share of answers that prefer what stands first.
        calibration: By how sure it was, without empty bins.
        by_difficulty: Agreement by the reference's difference, from the smallest to the largest
            third; empty without differences.
    """

    agreement: Interval
    pairs: int
    same_place: Interval | None = None
    first_place: float = 0.0
    calibration: list[Calibrated] = field(default_factory=list)
    by_difficulty: list[Interval] = field(default_factory=list)


def align(
    rows: Iterable[Row],
    reference: Mapping[PairKey, float],
    resamples: int,
    confidence: float,
    seed: int,
    differences: Mapping[PairKey, float] | None = None,
) -> Alignment:
    """Compare a labeller with a reference.

    Args:
        rows: Of rows.PREFERENCE; those without a label are left out.
        reference: p of each pair by (problem, first, second).
        resamples: Of the bootstrap.
        confidence: Of the intervals.
        seed: Of the bootstrap.
        differences: How far apart the samples of each pair are, in the reference's own measure.

    Raises:
        ValueError: no pair has a label and a reference that prefers one.
    """
    known = [row for row in rows if row["p"] is not None]
    judged = [row for row in known if reference.get(_key(row), 0.5) != 0.5]
    if not judged:
        raise ValueError("no pair has a label and a reference that prefers one of its samples")

    def over_problems(some: Sequence[Row], score: Callable[[Row], float]) -> Interval:
        return _clustered(some, score, resamples, confidence, seed)

    def right(row: Row) -> float:
        return _right(row["p"], reference[_key(row)])

    both = [row for row in known if row["p_second"] is not None]
    thirds: list[Interval] = []
    if differences is not None:
        ranked = sorted(judged, key=lambda row: abs(differences[_key(row)]))
        parts = np.array_split(np.arange(len(ranked)), 3)
        thirds = [over_problems([ranked[n] for n in part], right) for part in parts if len(part)]
    return Alignment(
        over_problems(judged, right),
        len(judged),
        over_problems(both, _same_place) if both else None,
        float(np.mean([place for row in known for place in _places(row)])),
        _calibration(judged, right),
        thirds,
    )


def _key(row: Row) -> PairKey:
    return row["problem_id"], row["first"], row["second"]


def _right(p: float, wanted: float) -> float:
    return 0.5 if p == 0.5 else float((p > 0.5) == (wanted > 0.5))


def _same_place(row: Row) -> float:
    """1 where the place that is preferred is the same in both orders."""
    # p_second is the probability of `first`, which stood second.
    return float((row["p_first"] > 0.5) == (row["p_second"] < 0.5))


def _places(row: Row) -> list[float]:
    """Of each answer, whether it prefers what stands first."""
    found = [float(row["p_first"] > 0.5)]
    return found if row["p_second"] is None else [*found, float(row["p_second"] < 0.5)]


def _calibration(rows: Sequence[Row], right: Callable[[Row], float]) -> list[Calibrated]:
    found: list[Calibrated] = []
    sure = np.array([max(row["p"], 1 - row["p"]) for row in rows])
    agreed = np.array([right(row) for row in rows])
    for low, high in pairwise(_EDGES):
        inside = (sure >= low) & ((sure < high) | (high == _EDGES[-1]))
        if inside.any():
            count = int(inside.sum())
            mean, share = float(sure[inside].mean()), float(agreed[inside].mean())
            found.append(Calibrated(low, high, count, mean, share))
    return found


def _clustered(
    rows: Sequence[Row],
    score: Callable[[Row], float],
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """Mean over pairs, with the interval of problems that are drawn with all of their pairs."""
    sums: dict[str, list[float]] = {}
    for row in rows:
        sums.setdefault(row["problem_id"], []).append(score(row))
    totals = np.array([sum(values) for values in sums.values()])
    counts = np.array([float(len(values)) for values in sums.values()])
    value = float(totals.sum() / counts.sum())
    if value in (0.0, 1.0):
        return interval([value] * len(counts), resamples, confidence, seed)
    draws = np.random.default_rng(seed).integers(0, len(counts), size=(resamples, len(counts)))
    low, high = percentiles(totals[draws].sum(1) / counts[draws].sum(1), confidence)
    return Interval(value, low, high, len(counts))
