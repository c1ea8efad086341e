"""Studies of which nothing was run: results of all arms, made up."""

from __future__ import annotations

from flows.rest_em.results import Transfer
from flows.study.config import StudyConfig, find_study
from flows.study.preference_metrics import PREFERENCE_METRICS
from flows.study.results import Account, Results, StudyPolicy
from flows.study.summary import FinishedStudy
from tasks.evaluate.intervals import Interval
from tasks.evaluate.results import Bin


def estimate(value: float) -> Interval:
    return Interval(value, value, value, 9)


def made_up(name: str) -> Results:
    """Results of all arms of a study, and all that it may look at."""
    config, study = StudyConfig(), find_study(name)
    metrics = ("greedy", "train", "gap", "validation", *(f"pass@{k}" for k in (1, 2, 4, 8, 16)))
    bins = ("75% or more", "50% to 75%", "25% to 50%", "less than 25%")
    others = (
        *config.bases.math.evaluation.transfer,
        *config.bases.code.evaluation.transfer,
    )
    policy = StudyPolicy(
        1,
        "m",
        {name: estimate(0.5) for name in (*metrics, *PREFERENCE_METRICS, "maj@8")},
        transfer={name: Transfer(estimate(0.4)) for name in others},
        bins=[Bin(name, 9, 0.1, 0.2, estimate(0.1)) for name in bins],
    )
    arms = [arm.name for arm in config.arms(study)]
    return Results({(arm, s): [policy] * 4 for arm in arms for s in (1, 2)}, (1, 2))


def finished_study(name: str) -> FinishedStudy:
    study = find_study(name)
    return FinishedStudy(study, StudyConfig().arms(study), made_up(name), Account())
