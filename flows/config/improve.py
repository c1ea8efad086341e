"""Which ways to improve a policy go together with which other settings: the mistakes, in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.finetune.objectives import OBJECTIVES
from tasks.settings.finetune import PREFERENCES

if TYPE_CHECKING:
    from flows.config.rest_em import RestEmConfig


def check_improve(config: RestEmConfig) -> None:
    """See that `finetune.improve` fits to the rest.

    Raises:
        ValueError: naming the field and what was expected.
    """
    objective = OBJECTIVES[config.finetune.improve]
    if objective.pairs:
        _check_pairs(config)
    if objective.prompts:
        _check_rl(config)
    if objective.labels:
        _check_labels(config)
    if objective.pairs or objective.prompts or objective.labels:
        _check_processes(config)
    _check_reference(config)


def _check_pairs(config: RestEmConfig) -> None:
    name, kind = config.finetune.improve, config.finetune.pairs
    if config.filter.thresholds or config.filter.select != "threshold":
        raise ValueError(
            f"finetune.improve: {name} prefers correct over wrong samples; expected "
            "filter.select = threshold and no filter.thresholds"
        )
    if config.filter.weight != "one" or config.filter.wrong_weight:
        raise ValueError(
            f"filter.weight, filter.wrong_weight: the pairs of {name} have no weight; expected one "
            "and 0"
        )
    if kind != PREFERENCES:
        return
    if config.reward.by == "judge":
        raise ValueError(
            "finetune.pairs: a judge that gives rewards (reward.by = judge) labels no pairs; "
            "expected reward.by = checker or model with preferences, or pairs = extremes"
        )
    _check_judge(config, asked=config.judge.labels == "judge")


def _check_labels(config: RestEmConfig) -> None:
    if config.filter.thresholds or config.filter.select != "threshold":
        raise ValueError(
            "finetune.improve: kto trains on right and wrong samples; expected filter.select = "
            "threshold and no filter.thresholds"
        )
    if config.filter.weight != "one" or config.filter.wrong_weight:
        raise ValueError(
            "filter.weight, filter.wrong_weight: the samples of kto have no weight; expected one "
            "and 0"
        )


def _check_reference(config: RestEmConfig) -> None:
    """See that what only some losses have is asked of these alone."""
    tune, objective = config.finetune, OBJECTIVES[config.finetune.improve]
    if tune.nll and (not objective.pairs or tune.pairs == PREFERENCES):
        raise ValueError(
            "finetune.nll: it stands beside the preference of finetune.improve = dpo on pairs with "
            "hard labels; expected 0"
        )
    if tune.reference == "start":
        return
    if not (objective.pairs or objective.labels):
        raise ValueError(
            f"finetune.reference: {tune.improve} has no reference; expected start, or dpo or kto"
        )
    if tune.has_adapters:
        raise ValueError(
            "finetune.reference: adapters have the model without them as their reference; expected "
            "start, or finetune.method = full"
        )


def _check_rl(config: RestEmConfig) -> None:
    rules, by = config.filter, config.reward.by
    if rules.thresholds or rules.select != "threshold" or rules.weight != "one":
        raise ValueError(
            "finetune.improve: rl draws its own samples, which no rule selects; expected "
            "filter.select = threshold, filter.weight = one and no filter.thresholds"
        )
    if by == "checker" and (rules.rewards or rules.score != "correct"):
        field = "rewards" if rules.rewards else "score"
        raise ValueError(
            f"filter.{field}: rl asks the checker itself (reward.by = checker); expected "
            "filter.score = correct, or reward.by = model or judge"
        )
    if by == "checker" and "hand" in config.data.train_domains:
        raise ValueError(
            "reward.by: nobody grades the samples of rl by hand; expected model or judge"
        )
    if config.sampling.max_tokens >= config.finetune.max_length:
        raise ValueError(
            f"finetune.max_length: samples of {config.sampling.max_tokens:,} tokens "
            f"(sampling.max_tokens) leave no room for a prompt; expected more than "
            f"{config.finetune.max_length:,}"
        )
    asked = by == "judge" or (by == "model" and config.judge.labels == "judge")
    _check_judge(config, asked=asked)


def _check_judge(config: RestEmConfig, *, asked: bool) -> None:
    if asked and not config.judge.model:
        instead = "" if config.reward.by == "judge" else ", or other labels (judge.labels)"
        raise ValueError(f"judge.model: no model is named that judges; expected one{instead}")


def _check_processes(config: RestEmConfig) -> None:
    if config.resources.train_processes > 1:
        raise ValueError(
            f"resources.train_processes: {config.finetune.improve} trains in one process; expected "
            f"1, not {config.resources.train_processes}"
        )
