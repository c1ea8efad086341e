"""How many rows an iteration trains on, before it is sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flows.config.rest_em import RestEmConfig
from tasks.finetune.objectives import OBJECTIVES
from tasks.settings import FilterSettings
from tasks.settings.finetune import PREFERENCES, VERDICTS


def training_rows(keep: Sequence[float], problems: int, config: RestEmConfig) -> int:
    """Rows of an iteration: problems of `rl`, pairs of preferences, else the samples it keeps.

    Args:
        keep: As `expected_rows` takes it.
        problems: To train on.
    """
    samples, rules = config.sampling.samples, config.filter
    objective, pairs = OBJECTIVES[config.finetune.improve], config.finetune.pairs
    if objective.prompts:
        return problems
    if objective.pairs and pairs == PREFERENCES:
        return problems * (config.judge.pairs or math.comb(samples, 2))
    if objective.pairs and pairs != VERDICTS:  # the highest half over the lowest one
        return problems * min(rules.cap or samples, samples // 2)
    return expected_rows(keep, problems, samples, rules)


def expected_rows(keep: Sequence[float], problems: int, samples: int, rules: FilterSettings) -> int:
    """Training rows that an iteration keeps.

    Args:
        keep: For each problem seen the share of its samples that is kept (right, finished, not a
            duplicate).
    """
    if not keep:
        return 0
    cap = rules.cap or samples
    return round(problems * sum(min(cap, samples * chance) for chance in keep) / len(keep))
