"""What trainers of TRL that compare completions have in common here: rows that are tokens."""

from __future__ import annotations

from typing import Any

import datasets
import torch
from transformers import Trainer


class TokenisedRows(Trainer):
    """Stands before a trainer of TRL.

    Attributes:
        sequences: Rows, as they came.
    """

    _metrics: dict[str, dict[str, list[float]]]  # TRL's

    def __init__(self, *args: Any, train_dataset: datasets.Dataset, **kwargs: Any) -> None:
        """Take the trainer's arguments."""
        self.sequences = len(train_dataset)
        super().__init__(*args, train_dataset=train_dataset, **kwargs)

    def training_step(  # noqa: D102
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        # TRL notes a dozen numbers for each forward pass until they are logged, which they are not.
        self._metrics["train"].clear()
        return loss

    def _prepare_dataset(
        self, dataset: datasets.Dataset, *args: object, **kwargs: object
    ) -> datasets.Dataset:
        return dataset  # tokenised as in sampling, which TRL would do in its own way
