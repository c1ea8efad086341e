"""A reward model from preferences with soft labels: TRL's RewardTrainer with another loss.

For a pair with rewards r1, r2 and label p (the probability that the first is the better one), the
Bradley-Terry model's cross-entropy (Lee et al., arXiv 2309.00267, section 2.2.1),

    -p log sigmoid(r1 - r2) - (1 - p) log sigmoid(r2 - r1) + center * (r1 + r2)^2,

its mean over pairs. With p = 1 it is RewardTrainer's own loss.
"""

from __future__ import annotations

from typing import Any

import datasets
import torch
import torch.nn.functional as F
from trl import RewardTrainer  # type: ignore[attr-defined]

from tasks.finetune.common import QuietTrainer


class SoftRewardTrainer(QuietTrainer, RewardTrainer):
    """RewardTrainer on tokenised pairs (pack.py), whose labels stand in the column `margin`."""

    def __init__(
        self, *args: Any, train_dataset: datasets.Dataset, center: float, **kwargs: Any
    ) -> None:
        """Take RewardTrainer's arguments, and the weight of the term that keeps rewards near 0."""
        self.sequences = len(train_dataset)
        self._center = center
        super().__init__(*args, train_dataset=train_dataset, **kwargs)

    def compute_loss(  # noqa: D102 - Trainer's interface
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        rewards = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        ).logits.squeeze(-1)
        first, second = rewards.chunk(2)
        loss = soft_loss(first, second, inputs["margin"], self._center)
        return (loss, {}) if return_outputs else loss

    def _prepare_dataset(
        self, dataset: datasets.Dataset, *args: object, **kwargs: object
    ) -> datasets.Dataset:
        return dataset  # tokenised as in sampling


def soft_loss(
    first: torch.Tensor, second: torch.Tensor, p: torch.Tensor, center: float = 0.0
) -> torch.Tensor:
    """The loss of a batch of pairs.

    Args:
        first: Rewards of the first samples, [pairs].
        second: Of the second ones, [pairs].
        p: Labels in [0, 1], [pairs].
        center: Weight of the term that keeps rewards near 0.

    Returns:
        A scalar.
    """
    apart = first - second
    each = -p * F.logsigmoid(apart) - (1 - p) * F.logsigmoid(-apart)
    return (each + center * (first + second) ** 2).mean()
