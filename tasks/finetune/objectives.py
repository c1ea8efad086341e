"""The objectives: what a policy is trained on, and by which trainer (`finetune.improve`).

An objective of rows is a `Supervised` (supervised.py): rows of `select`, packed, with weights. One
of pairs is a `Preference` (preference.py): pairs of a correct and a wrong sample. A subclass of
either is another objective: it changes the loss and inherits order, checks of the validation
reward, checkpoints and export. To add one: docs/extending.md.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Objective:
    """What is optimised.

    Attributes:
        trainer: module:class of the trainer, imported where training happens.
        pairs: Whether it trains on pairs, and not on rows.
    """

    trainer: str
    pairs: bool = False

    def load(self) -> Any:
        """The trainer's class."""
        module, _, name = self.trainer.partition(":")
        return getattr(importlib.import_module(module), name)


# `finetune.improve` -> objective.
OBJECTIVES = {
    "sft": Objective("tasks.finetune.supervised:Supervised"),
    "dpo": Objective("tasks.finetune.preference:Preference", pairs=True),
}
