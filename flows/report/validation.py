"""The checks of a fine-tune with intervals: how sure a validation reward is, and which was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.report.tables import metric_cell
from tasks.evaluate.intervals import Interval, interval
from tasks.facts import Facts
from tasks.finetune.results import Choose, HistoryEntry, TrainingFacts
from tasks.settings import EvaluationSettings

# Equal checks have equal intervals.
_BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class Check(Facts):
    """One measurement of the validation reward.

    Attributes:
        step: Optimiser steps before it.
        reward: Its interval is over problems.
        kept: Whether its weights are the policy.
    """

    step: int
    reward: Interval
    kept: bool


@dataclass(frozen=True)
class Checks(Facts):
    """All of a fine-tune.

    Attributes:
        choose: The rule by which one was kept.
        kept: In words, such as `kept check 2 of 4 (the best)`.
    """

    choose: Choose
    kept: str
    checks: list[Check]


def checks_of(training: TrainingFacts, problems: int, how: EvaluationSettings) -> Checks | None:
    """The checks of a fine-tune; None where there were none.

    Args:
        training: What it left.
        problems: Of validation.
        how: Resamples and confidence of intervals.
    """
    found = [
        Check(entry.step, _interval(entry, problems, how), entry.step == training.best_step)
        for entry in training.history
        if entry.reward is not None and problems
    ]
    return Checks(training.choose, training.kept_words, found) if found else None


def checks_rows(name: str, checks: Checks) -> Sequence[Sequence[str]]:
    """The lines of a fine-tune in `CHECKS_HEAD`'s table."""
    return [
        [name, str(one.step), metric_cell(one.reward), checks.kept if one.kept else ""]
        for one in checks.checks
    ]


CHECKS_HEAD = ["fine-tune", "step", "validation reward", ""]


def _interval(entry: HistoryEntry, problems: int, how: EvaluationSettings) -> Interval:
    """Of rewards that are noted, or else are 0 or 1 each."""
    assert entry.reward is not None
    solved = round(entry.reward * problems)
    rewards = entry.rewards or [1.0] * solved + [0.0] * (problems - solved)
    return interval(rewards, how.bootstrap, how.confidence, _BOOTSTRAP_SEED)
