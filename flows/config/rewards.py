"""Which rewards go together with which other settings: the mistakes, in a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.finetune.objectives import OBJECTIVES
from tasks.settings.filter import UNCHECKED
from tasks.settings.problems import TRAIN

if TYPE_CHECKING:
    from flows.config.rest_em import RestEmConfig

# Domains whose samples have no answers that can be equal.
_NO_VOTE = {"code", "notes", "hand"}


def check_rewards(config: RestEmConfig) -> None:
    """See that `filter.score` and `evaluation.verifier` fit to the rest.

    Args:
        config: A whole configuration.

    Raises:
        ValueError: naming the field and what was expected.
    """
    if config.filter.score in UNCHECKED:
        _check_unchecked(config)
    if config.evaluation.verifier == "reward" and config.reward.by != "model":
        raise ValueError(
            "evaluation.verifier: reward takes the run's reward model, and there is none; "
            "expected own, or reward.by = model"
        )


def _check_unchecked(config: RestEmConfig) -> None:
    """Rewards that look at no reference need all samples, and know no wrong ones."""
    score, data = config.filter.score, config.data
    if config.sampling.enough or config.sampling.hard_samples:
        raise ValueError(
            "sampling.enough, sampling.hard_samples: these go by correct samples, and "
            f"filter.score = {score} asks for no reference; expected 0"
        )
    if config.reward.by != "checker":
        raise ValueError(
            f"filter.score: {score} rewards samples, and so does reward.by = {config.reward.by}; "
            "expected one of them"
        )
    objective = OBJECTIVES[config.finetune.improve]
    if objective.pairs or objective.labels:
        raise ValueError(
            f"filter.score: {score} knows no wrong samples, which finetune.improve = "
            f"{config.finetune.improve} asks for; expected sft"
        )
    own = data.train not in TRAIN.names  # its domain is known when it is read
    if score == "vote" and not own and data.train_domains & _NO_VOTE:
        raise ValueError(
            "filter.score: vote needs answers that can be equal; expected any, random, or a "
            f"data.train of math, not {data.train}"
        )
