"""How far a labeller's preferences are those of a reference: people, or an oracle.

Alignment is the share of pairs on which both prefer the same sample (Lee et al., arXiv 2309.00267,
section 3.3); a labeller that is undecided (p = 1/2) is right by half. Pairs on which the reference
is undecided are left out. Intervals are bootstrap intervals over problems, whose pairs hang
together.

The expected calibration error (Naeini et al. 2015; Guo et al., arXiv 1706.04599, section 2) is the
mean over pairs of how far, in the bin of a pair, the mean of p for what is preferred lies from the
share that is right. Resampling adds noise to each bin, so its interval leans upwards.

The share of answers that stay with the position is that of pairs which were asked in both orders
and on which the labeller preferred the same *place* both times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tasks.evaluate.intervals import Floats, Interval, chunks, interval, percentiles
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
    right: Interval  # share of them on which the reference agrees


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
            third; empty without differences, or where all are equal.
        calibration_error: The expected one.
        differences: Mean of them in each of these thirds.
    """

    agreement: Interval
    pairs: int
    same_place: Interval | None = None
    first_place: float = 0.0
    calibration: list[Calibrated] = field(default_factory=list)
    by_difficulty: list[Interval] = field(default_factory=list)
    calibration_error: Interval | None = None
    differences: list[float] = field(default_factory=list)


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
        values = [(row["problem_id"], score(row)) for row in some]
        return over_pairs(values, resamples, confidence, seed)

    def right(row: Row) -> float:
        return _right(row["p"], reference[_key(row)])

    both = [row for row in known if row["p_second"] is not None]
    thirds: list[list[Row]] = []
    apart = {_key(row): abs(differences[_key(row)]) for row in judged} if differences else {}
    if len(set(apart.values())) > 1:
        ranked = sorted(judged, key=lambda row: apart[_key(row)])
        parts = np.array_split(np.arange(len(ranked)), 3)
        thirds = [[ranked[n] for n in part] for part in parts if len(part)]
    bins = _by_sureness(judged)
    error = _calibration_error(list(bins.values()), right, resamples, confidence, seed)
    return Alignment(
        over_problems(judged, right),
        len(judged),
        over_problems(both, _same_place) if both else None,
        float(np.mean([place for row in known for place in _places(row)])),
        [
            Calibrated(
                low,
                high,
                len(inside),
                float(np.mean([_sureness(row) for row in inside])),
                over_problems(inside, right),
            )
            for (low, high), inside in bins.items()
        ],
        [over_problems(part, right) for part in thirds],
        error,
        [float(np.mean([apart[_key(row)] for row in part])) for part in thirds],
    )


def over_pairs(
    values: Sequence[tuple[str, float]], resamples: int, confidence: float, seed: int
) -> Interval:
    """Mean over pairs, with the interval of problems that are drawn with all of their pairs.

    Args:
        values: Of each pair its problem, and a score in [0, 1].
        resamples: Of the bootstrap.
        confidence: Of the interval.
        seed: Of the bootstrap.

    Raises:
        ValueError: there is no pair.
    """
    table = _by_problem(values, np.array([[score, 1.0] for _, score in values]))
    total, count = table.sum(0)
    value = float(total / count)
    if value in (0.0, 1.0):
        return interval([value] * len(table), resamples, confidence, seed)
    drawn = _resampled(table, resamples, seed)
    low, high = percentiles(drawn[:, 0] / drawn[:, 1], confidence)
    return Interval(value, low, high, len(table))


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


def _sureness(row: Row) -> float:
    return max(row["p"], 1 - row["p"])


def _by_sureness(rows: Sequence[Row]) -> dict[tuple[float, float], list[Row]]:
    """Pairs by the bin of how sure the labeller was; without empty bins."""
    found: dict[tuple[float, float], list[Row]] = {}
    for low, high in pairwise(_EDGES):
        last = high == _EDGES[-1]
        inside = [row for row in rows if low <= _sureness(row) and (last or _sureness(row) < high)]
        if inside:
            found[low, high] = inside
    return found


def _calibration_error(
    bins: Sequence[Sequence[Row]],
    right: Callable[[Row], float],
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """The expected calibration error, a mean over pairs of |sure - right| of their bins."""
    values = [(row["problem_id"], right(row)) for inside in bins for row in inside]
    columns = np.zeros((len(values), len(bins) + 1))
    columns[:, -1] = 1.0
    place = 0
    for number, inside in enumerate(bins):
        for row in inside:
            columns[place, number] = _sureness(row) - values[place][1]
            place += 1
    table = _by_problem(values, columns)

    def error(sums: Floats) -> Floats:
        return np.abs(sums[..., :-1]).sum(-1) / sums[..., -1]

    value = float(error(table.sum(0)))
    low, high = percentiles(error(_resampled(table, resamples, seed)), confidence)
    return Interval(value, min(low, value), max(high, value), len(table))


def _by_problem(values: Sequence[tuple[str, float]], columns: Floats) -> Floats:
    """Sums of the columns of all pairs of a problem, [problems, columns]."""
    places: dict[str, int] = {}
    rows = [places.setdefault(problem, len(places)) for problem, _ in values]
    table = np.zeros((len(places), columns.shape[1]))
    np.add.at(table, rows, columns)
    return table


def _resampled(table: Floats, resamples: int, seed: int) -> Floats:
    """Sums over problems that are drawn with replacement, [resamples, columns]."""
    generator, count = np.random.default_rng(seed), len(table)
    return np.concatenate(
        [
            table[generator.integers(0, count, size=(size, count))].sum(1)
            for size in chunks(resamples, count * table.shape[1])
        ]
    )
