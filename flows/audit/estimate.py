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

from flows.audit.labels import Labels
from flows.audit.sample import Pair, Stratum
from tasks.evaluate.intervals import Interval
from tasks.evaluate.weighted_rates import FEW, Floats, Rate, exact_bound, rate_interval
from tasks.score.second.math_verify import Opinion, Second

Json = dict[str, object]
Judged = tuple[Pair, Second]
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


AGREEMENT = _share((A_AGREED, R_AGREED), tuple(range(6)))
# Name -> the rate, and the direction whose disagreements are its errors.
ERRORS = {
    "accepted_wrong": (_share((A_ERROR,), (A_AGREED, A_ERROR, A_RIGHT)), Stratum.ACCEPTED),
    "refused_right": (_share((R_ERROR,), (R_AGREED, R_ERROR, R_RIGHT)), Stratum.REFUSED),
    "false_positive": (_share((A_ERROR,), (A_ERROR, R_AGREED, R_RIGHT)), Stratum.ACCEPTED),
    "false_negative": (_share((R_ERROR,), (R_ERROR, A_AGREED, A_RIGHT)), Stratum.REFUSED),
}


@dataclass(frozen=True)
class How:
    """How intervals are made."""

    resamples: int
    confidence: float
    seed: int


def disagrees(pair: Pair, second: Second) -> bool:
    """Whether both have a verdict, and not the same one."""
    return (pair.stratum is Stratum.ACCEPTED and second.opinion is Opinion.UNEQUAL) or (
        pair.stratum is Stratum.REFUSED and second.opinion is Opinion.EQUAL
    )


def decided(judged: Sequence[Judged]) -> list[Judged]:
    """Those on which both have a verdict."""
    return [
        (pair, second)
        for pair, second in judged
        if pair.stratum in _COLUMNS and second.opinion is not Opinion.UNDECIDED
    ]


def weights(judged: Sequence[Judged], sizes: Mapping[Stratum, int]) -> dict[Stratum, float]:
    """How many pairs of the run a decided pair stands for, by stratum."""
    counts = {side: sum(pair.stratum is side for pair, _ in judged) for side in _COLUMNS}
    return {side: sizes[side] / count for side, count in counts.items() if count}


def agreement(judged: Sequence[Judged], weight: Mapping[Stratum, float], how: How) -> Json:
    """The share on which the two agree, over all and by group; only decided pairs are given."""
    groups = sorted({pair.group for pair, _ in judged if pair.group})
    return {
        "overall": _interval(_columns(judged, weight, {}), AGREEMENT, how),
        "groups": {
            group: _of_group([one for one in judged if one[0].group == group], weight, how)
            for group in groups
        },
    }


def _of_group(judged: list[Judged], weight: Mapping[Stratum, float], how: How) -> Json:
    return {
        "pairs": len(judged),
        "disagreements": sum(disagrees(*one) for one in judged),
        "agreement": _interval(_columns(judged, weight, {}), AGREEMENT, how),
    }


def bounds(judged: Sequence[Judged], weight: Mapping[Stratum, float], how: How) -> Json:
    """Our error rates if every disagreement were our error; only decided pairs are given."""
    columns = _columns(judged, weight, {})
    return {name: _interval(columns, rate, how) for name, (rate, _) in ERRORS.items()}


def estimates(
    judged: Sequence[Judged], weight: Mapping[Stratum, float], labels: Labels, how: How
) -> Json:
    """Our error rates with a person's labels; only decided pairs are given.

    A rate whose direction has disagreements but no label is None: nothing is known of it but its
    bound.
    """
    columns = _columns(judged, weight, labels)
    bound = _columns(judged, weight, {})
    found: Json = {}
    for name, (rate, side) in ERRORS.items():
        all_of_it = [pair for pair, second in judged if _is_on(side, pair, second)]
        labelled = [pair for pair in all_of_it if pair.id in labels]
        if all_of_it and not labelled:
            found[name] = None
            continue
        made = _rate(columns, rate, how)
        most = _rate(bound, rate, how)
        if made and most and len(labelled) < len(all_of_it):
            made = _unlabelled_too(made, most, labelled, labels, how)
        found[name] = made and made.to_json()
    return found


def _unlabelled_too(
    made: Interval, most: Interval, labelled: list[Pair], labels: Labels, how: How
) -> Interval:
    """The interval where few labels show an error, or few show none: those unseen may.

    Among the unlabelled disagreements the share of our errors may be as large as (or, the other
    way, as small as) the exact bound over the labelled problems allows.
    """
    unlike = {pair.problem_id for pair in labelled}
    wrong = {p.problem_id for p in labelled if labels[p.id] is (p.stratum is Stratum.REFUSED)}
    right = {p.problem_id for p in labelled if labels[p.id] is not (p.stratum is Stratum.REFUSED)}
    bound = exact_bound(len(unlike), how.confidence)
    low, high = made.low, made.high
    if len(wrong) < FEW:
        high = max(high, most.high * bound)
    if len(right) < FEW:
        low = min(low, most.low * (1.0 - bound))
    return Interval(made.value, low, high, made.problems)


def _is_on(side: Stratum, pair: Pair, second: Second) -> bool:
    return pair.stratum is side and disagrees(pair, second)


def _columns(judged: Sequence[Judged], weight: Mapping[Stratum, float], labels: Labels) -> Floats:
    """Weighted sums by problem, shape (problems, 6)."""
    problems = {key: place for place, key in enumerate(sorted({p.problem_id for p, _ in judged}))}
    sums = np.zeros((len(problems), 6))
    scale = {side: _scale(judged, side, labels) for side in _COLUMNS}
    for pair, second in judged:
        place, first = problems[pair.problem_id], _COLUMNS[pair.stratum]
        if not disagrees(pair, second):
            sums[place, first] += weight[pair.stratum]
        elif scale[pair.stratum] is None:
            sums[place, first + _ERROR] += weight[pair.stratum]
        elif pair.id in labels:
            ours_wrong = labels[pair.id] is (pair.stratum is Stratum.REFUSED)
            column = first + (_ERROR if ours_wrong else _RIGHT)
            sums[place, column] += weight[pair.stratum] * (scale[pair.stratum] or 0.0)
    return sums


def _scale(judged: Sequence[Judged], side: Stratum, labels: Labels) -> float | None:
    """How many disagreements of a direction a labelled one stands for; None without labels."""
    every = [pair for pair, second in judged if _is_on(side, pair, second)]
    labelled = sum(pair.id in labels for pair in every)
    return len(every) / labelled if labelled else None


def _rate(columns: Floats, rate: Rate, how: How) -> Interval | None:
    return rate_interval(columns, rate, how.resamples, how.confidence, how.seed)


def _interval(columns: Floats, rate: Rate, how: How) -> dict[str, float | int] | None:
    made = _rate(columns, rate, how)
    return made and made.to_json()
