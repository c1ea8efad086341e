"""What a run by preferences found of a policy, under the names that studies ask for.

`win` and `win, equal length`: over the base by the checker, greedy, raw and length-controlled;
`win by judge`: the raw one by the run's own judge. Of the pairs of samples drawn from the policy:
`alignment` of their labels with the checker, and `same place`, the share of pairs on which a judge
stays with the position. `reward accuracy`: of the reward model that was fit on them, against the
checker.
"""

from __future__ import annotations

from flows.rest_em.results import PolicyReport
from tasks.evaluate.intervals import Interval
from tasks.evaluate.win_rate import JUDGE, ORACLE

WIN, WIN_CONTROLLED, WIN_BY_JUDGE = "win", "win, equal length", "win by judge"
ALIGNMENT, SAME_PLACE, REWARD_ACCURACY = "alignment", "same place", "reward accuracy"
PREFERENCE_METRICS = (
    *(WIN, WIN_CONTROLLED, WIN_BY_JUDGE),
    *(ALIGNMENT, SAME_PLACE, REWARD_ACCURACY),
)


def preference_metrics(one: PolicyReport) -> dict[str, Interval]:
    """The metrics that were measured."""
    found: dict[str, Interval | None] = {}
    if one.win_rates is not None:
        by = one.win_rates.by
        if ORACLE in by:
            found |= {WIN: by[ORACLE].raw, WIN_CONTROLLED: by[ORACLE].controlled}
        if JUDGE in by:
            found[WIN_BY_JUDGE] = by[JUDGE].raw
    if one.labels is not None:
        alignment, model = one.labels.alignment, one.labels.model
        if alignment is not None:
            found |= {ALIGNMENT: alignment.agreement, SAME_PLACE: alignment.same_place}
        if model is not None:
            found[REWARD_ACCURACY] = model.oracle
    return {name: value for name, value in found.items() if value is not None}
