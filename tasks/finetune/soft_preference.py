"""Direct preference optimisation on soft labels: pairs whose preference is more or less sure.

For a pair with p, the probability that its chosen side is the better one,

    p L(chosen, rejected) + (1 - p) L(rejected, chosen)
        = -p log sigmoid(d) - (1 - p) log sigmoid(-d),

where L is the loss of preference.py and d = beta * [log p(y_w|x)/p_0(y_w|x) - log
p(y_l|x)/p_0(y_l|x)]: the cross-entropy of the label that a reward model is fit by too (Lee et al.,
arXiv 2309.00267, section 2.2.1). With p = 1 it is the loss of preference.py.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from trl.trainer.utils import use_adapter

from tasks.finetune.preference import Preference
from tasks.rows import Row


class SoftPreference(Preference):
    """`Preference` on pairs with a column `p`."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Take DPOTrainer's arguments."""
        super().__init__(*args, **kwargs)
        plain = self.data_collator

        def collate(pairs: list[Row]) -> dict[str, object]:
            return {**plain(pairs), "p": torch.tensor([pair["p"] for pair in pairs])}

        self.data_collator = collate

    def _compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], return_outputs: bool
    ) -> torch.Tensor:
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        rows = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}

        def log_probabilities(of: Any) -> torch.Tensor:
            """Of each completion, the chosen ones first."""
            made = of(**rows, use_cache=False, labels=labels, fused_lm_head=True)
            return made.log_probs.sum(dim=1)

        now = log_probabilities(model)
        with torch.no_grad():
            if self.ref_model is None:  # the model without its adapters
                with use_adapter(self.accelerator.unwrap_model(self.model), adapter_name=None):
                    start = log_probabilities(self.model)
            else:
                start = log_probabilities(self.ref_model)
        chosen, rejected = (now - start).chunk(2)
        return soft_loss(self.beta * (chosen - rejected), inputs["p"])


def soft_loss(apart: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """The loss of a batch of pairs.

    Args:
        apart: d of each pair, [pairs].
        p: Probability that the chosen side is better, [pairs].

    Returns:
        A scalar.
    """
    p = p.to(apart)
    return (-p * F.logsigmoid(apart) - (1 - p) * F.logsigmoid(-apart)).mean()
