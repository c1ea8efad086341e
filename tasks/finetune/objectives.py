"""The objectives: what a policy is trained on, and by which trainer (`finetune.improve`).

An objective of rows is a `Supervised` (supervised.py): rows of `select`, packed, with weights. One
of pairs is a `Preference` (preference.py): pairs of a correct and a wrong sample. A subclass of
either is another objective: it changes the loss and inherits order, checks of the validation
reward, checkpoints and export. To add one: docs/extending.md. One of prompts is a `Reinforce`
(reinforce.py), which draws samples of its own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from tasks.settings import FinetuneSettings
from tasks.settings.finetune import PREFERENCES


@dataclass(frozen=True)
class Objective:
    """What is optimised.

    Attributes:
        trainer: module:class of the trainer, imported where training happens.
        pairs: Whether it trains on pairs, and not on rows.
        prompts: Whether it trains on samples of its own, and is given prompts alone.
        labels: Whether its rows are of right and wrong samples, each with its label.
    """

    trainer: str
    pairs: bool = False
    prompts: bool = False
    labels: bool = False

    def load(self) -> Any:
        """The trainer's class."""
        module, _, name = self.trainer.partition(":")
        return getattr(importlib.import_module(module), name)


# `finetune.improve` -> objective.
OBJECTIVES = {
    "sft": Objective("tasks.finetune.supervised:Supervised"),
    "dpo": Objective("tasks.finetune.preference:Preference", pairs=True),
    "kto": Objective("tasks.finetune.single_labels:SingleLabels", labels=True),
    "rl": Objective("tasks.finetune.reinforce:Reinforce", prompts=True),
}
# Those that several processes can train together.
IN_GROUPS = {
    name for name, one in OBJECTIVES.items() if not (one.pairs or one.prompts or one.labels)
}
_SOFT = Objective("tasks.finetune.soft_preference:SoftPreference", pairs=True)


def objective_of(settings: FinetuneSettings) -> Objective:
    """The objective of a fine-tune."""
    objective = OBJECTIVES[settings.improve]
    return _SOFT if objective.pairs and settings.pairs == PREFERENCES else objective
