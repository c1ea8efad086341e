"""What an audit's opinions say of our checker: agreement, and how often it is wrong.

With the second checker taken for right, every disagreement is an error of ours. That bounds the
errors that the two do not share: some disagreements are errors of the second. Where a person has
labelled disagreements, the label decides instead, and labelled ones stand for the unlabelled of
their direction. Errors that both make alike are seen by neither way.

Terms: false-positive rate, of answers that are not the reference's, the share we accept;
false-negative rate, of answers that are, the share we refuse. Pairs that the second leaves
undecided are taken to be like the others of their stratum. Intervals:
tasks/evaluate/weighted_rates.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flows.audit.results import Agreement, ErrorRates, GroupAgreement
from flows.audit.sample import AuditPair, Stratum
from tasks.evaluate.intervals import Interval
from tasks.evaluate.weighted_rates import FEW, Floats, Rate, exact_bound, rate_interval
from tasks.score.second.opinion import Opinion, Second

PairLabels = dict[str, bool]  # id of a pair -> whether its answer is the reference
# A problem's columns: the weights of pairs on which the two agree, of our errors, and of
# disagreements in which we are right; first those of accepted pairs, then of refused ones.
_COLUMNS = {Stratum.ACCEPTED: 0, Stratum.REFUSED: 3}
_ERROR, _RIGHT = 1, 2
A_AGREED, A_ERROR, A_RIGHT, R_AGREED, R_ERROR, R_RIGHT = range(6)


def _share(part: tuple[int, ...], whole: tuple[int, ...]) -> Rate:
    return Rate(
        lambda sums: sums[..., list(part)].sum(axis=-1),
        lambda sums: sums[..., list(whole)].sum(axis=-1),
    )


_AGREEMENT = _share((A_AGREED, R_AGREED), tuple(range(6)))
# Name -> the rate, and the direction whose disagreements are its errors.
ERRORS = {
    "accepted_wrong": (_share((A_ERROR,), (A_AGREED, A_ERROR, A_RIGHT)), Stratum.ACCEPTED),
    "refused_right": (_share((R_ERROR,), (R_AGREED, R_ERROR, R_RIGHT)), Stratum.REFUSED),
    "false_positive": (_share((A_ERROR,), (A_ERROR, R_AGREED, R_RIGHT)), Stratum.ACCEPTED),
    "false_negative": (_share((R_ERROR,), (R_ERROR, A_AGREED, A_RIGHT)), Stratum.REFUSED),
}


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: by a seeded bootstrap of so many resamples."""

    resamples: int
    confidence: float
    seed: int


@dataclass(frozen=True)
class CheckedPair:
    """A pair with the second checker's opinion on it."""

    pair: AuditPair
    second: Second

    @property
    def disagrees(self) -> bool:
        """Whether both have a verdict, and not the same one."""
        return self.disagrees_on(Stratum.ACCEPTED) or self.disagrees_on(Stratum.REFUSED)

    def disagrees_on(self, side: Stratum) -> bool:
        """Whether our verdict is `side` (accepted or refused) and the second's is the other."""
        other = Opinion.UNEQUAL if side is Stratum.ACCEPTED else Opinion.EQUAL
        return self.pair.stratum is side and self.second.opinion is other


def decided(checked: Sequence[CheckedPair]) -> list[CheckedPair]:
    """Those on which both have a verdict."""
    return [
        one
        for one in checked
        if one.pair.stratum in _COLUMNS and one.second.opinion is not Opinion.UNDECIDED
    ]


def weights(both: Sequence[CheckedPair], sizes: Mapping[Stratum, int]) -> dict[Stratum, float]:
    """How many pairs of the run a decided pair stands for, by stratum."""
    counts = {side: sum(one.pair.stratum is side for one in both) for side in _COLUMNS}
    return {side: sizes[side] / count for side, count in counts.items() if count}


def agreement(
    both: Sequence[CheckedPair], weight: Mapping[Stratum, float], how: Resampling
) -> Agreement:
    """The share of decided pairs on which the two agree, over all and by group."""

    def group(name: str) -> GroupAgreement:
        of = [one for one in both if one.pair.group == name]
        disputed = sum(one.disagrees for one in of)
        return GroupAgreement(len(of), disputed, _rate(_columns(of, weight, {}), _AGREEMENT, how))

    names = sorted({one.pair.group for one in both if one.pair.group})
    overall = _rate(_columns(both, weight, {}), _AGREEMENT, how)
    return Agreement(overall, {name: group(name) for name in names})


def bounds(
    both: Sequence[CheckedPair], weight: Mapping[Stratum, float], how: Resampling
) -> ErrorRates:
    """Our error rates, from decided pairs, if every disagreement were our error."""
    columns = _columns(both, weight, {})
    return ErrorRates(**{name: _rate(columns, rate, how) for name, (rate, _) in ERRORS.items()})


def estimates(
    both: Sequence[CheckedPair],
    weight: Mapping[Stratum, float],
    labels: PairLabels,
    how: Resampling,
) -> ErrorRates:
    """Our error rates, from decided pairs, with a person's labels.

    A rate whose direction has disagreements but no label is None: nothing is known of it but its
    bound.
    """
    columns = _columns(both, weight, labels)
    bound = _columns(both, weight, {})
    found: dict[str, Interval | None] = {}
    for name, (rate, side) in ERRORS.items():
        all_of_it = [one.pair for one in both if one.disagrees_on(side)]
        labelled = [pair for pair in all_of_it if pair.id in labels]
        if all_of_it and not labelled:
            found[name] = None
            continue
        made = _rate(columns, rate, how)
        most = _rate(bound, rate, how)
        if made and most and len(labelled) < len(all_of_it):
            made = _unlabelled_too(made, most, labelled, labels, how)
        found[name] = made
    return ErrorRates(**found)


def _unlabelled_too(
    made: Interval, most: Interval, labelled: list[AuditPair], labels: PairLabels, how: Resampling
) -> Interval:
    """The interval where few labels show an error, or few show none: those unseen may.

    Among the unlabelled disagreements the share of our errors may be as large as (or, the other
    way, as small as) the exact bound over the labelled problems allows.
    """
    unlike = {pair.problem_id for pair in labelled}
    wrong = {pair.problem_id for pair in labelled if _is_our_error(pair, labels)}
    right = {pair.problem_id for pair in labelled if not _is_our_error(pair, labels)}
    bound = exact_bound(len(unlike), how.confidence)
    low, high = made.low, made.high
    if len(wrong) < FEW:
        high = max(high, most.high * bound)
    if len(right) < FEW:
        low = min(low, most.low * (1.0 - bound))
    return Interval(made.value, low, high, made.problems)


def _is_our_error(pair: AuditPair, labels: PairLabels) -> bool:
    """Whether a person says that a labelled disagreement is an error of ours."""
    return labels[pair.id] is (pair.stratum is Stratum.REFUSED)


def _columns(
    both: Sequence[CheckedPair], weight: Mapping[Stratum, float], labels: PairLabels
) -> Floats:
    """Weighted sums by problem, shape (problems, 6)."""
    ids = sorted({one.pair.problem_id for one in both})
    problems = {key: place for place, key in enumerate(ids)}
    sums = np.zeros((len(problems), 6))
    scale = {side: _scale(both, side, labels) for side in _COLUMNS}
    for one in both:
        pair = one.pair
        place, first = problems[pair.problem_id], _COLUMNS[pair.stratum]
        if not one.disagrees:
            sums[place, first] += weight[pair.stratum]
        elif scale[pair.stratum] is None:
            sums[place, first + _ERROR] += weight[pair.stratum]
        elif pair.id in labels:
            column = first + (_ERROR if _is_our_error(pair, labels) else _RIGHT)
            sums[place, column] += weight[pair.stratum] * (scale[pair.stratum] or 0.0)
    return sums


def _scale(both: Sequence[CheckedPair], side: Stratum, labels: PairLabels) -> float | None:
    """How many disagreements of a direction a labelled one stands for; None without labels."""
    every = [one.pair for one in both if one.disagrees_on(side)]
    labelled = sum(pair.id in labels for pair in every)
    return len(every) / labelled if labelled else None


def _rate(columns: Floats, rate: Rate, how: Resampling) -> Interval | None:
    return rate_interval(columns, rate, how.resamples, how.confidence, how.seed)
