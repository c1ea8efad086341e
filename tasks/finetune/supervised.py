"""Supervised fine-tuning on packed rows: TRL's SFTTrainer with our batches and our loss.

The loss is the reward-weighted negative log-likelihood of section 3 of arXiv 2312.06585,
E[r(x, y) log p(y | x)], over the solution's tokens: the sum of weight times token loss, divided by
the number of solution tokens of the optimiser step (so a batch of weights 1 is plain fine-tuning).

Rows of a packed sequence are told apart by their position ids, which start again at 0. Where the
model fits, a batch is one flat sequence and attention goes row by row (row_attention.py; on a GPU
varlen_attention.py). Else from
the position ids transformers builds a block-diagonal mask (sdpa, eager) or sequence bounds (flash
attention), for a padded batch: TRL's own collator flattens it, which then costs the square of the
batch size in attention. `check_separation` finds models that ignore the boundaries.
"""

from __future__ import annotations

from typing import Any, Literal

import datasets
import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast
from trl import SFTTrainer  # type: ignore[attr-defined]
from trl.trainer.utils import add_fused_lm_head

from tasks.errors import UserError
from tasks.finetune import row_attention, varlen_attention
from tasks.finetune.common import QuietTrainer
from tasks.rows import Row

IGNORED = -100
# How a flat batch says which row a token is of; "" for a padded batch.
Flat = Literal["", "layout", "bounds"]


class Collator:
    """Packed sequences into one batch, flat or padded.

    Padding stands at position 0 each time, so every padding token is a row of its own that no
    other token sees and that sees no other.
    """

    def __init__(self, *, weighted: bool, flat: Flat = "") -> None:
        """What batches look like.

        Args:
            weighted: They carry a weight for each token.
            flat: They are one sequence, with the layout of its rows for row_attention.py, or with
                their bounds for varlen_attention.py.
        """
        self._weighted = weighted
        self._flat = flat

    def __call__(self, examples: list[Row]) -> dict[str, object]:
        """Examples as packing.prepare gives them; tensors of [batch, longest] or [1, tokens].

        Where rows are attended to by a layout, its shapes are plain numbers.
        """
        if self._flat:
            examples = [{name: _joined(examples, name) for name in examples[0]}]
        shape = (len(examples), max(len(example["input_ids"]) for example in examples))
        ids = np.zeros(shape, np.int64)
        labels = np.full(shape, IGNORED, np.int64)
        positions = np.zeros(shape, np.int64)
        weights = np.zeros(shape, np.float32)
        for i, example in enumerate(examples):
            ids[i, : len(example["input_ids"])] = example["input_ids"]
            end = 0
            for length, prompt, weight in zip(
                example["lengths"], example["prompts"], example["weights"], strict=True
            ):
                start, end = end, end + length
                # A row's first token would be predicted from the row before.
                target = slice(start + max(prompt, 1), end)
                labels[i, target] = ids[i, target]
                weights[i, target] = weight
                positions[i, start:end] = np.arange(length)
        found: dict[str, object] = {}
        batch: dict[str, np.ndarray]
        batch = {"input_ids": ids, "labels": labels, "position_ids": positions}
        if self._weighted:
            batch["weights"] = weights
        # Where hidden states have a target, the one after each; found here, where nothing waits.
        batch["kept_at"] = np.flatnonzero(labels.ravel()[1:] != IGNORED)
        if self._flat == "bounds":
            batch["row_bounds"] = varlen_attention.bounds(examples[0]["lengths"])
        elif self._flat:
            rows = row_attention.layout(examples[0]["lengths"])._asdict()
            found |= {f"rows_{name}": part for name, part in rows.items()}
        return found | {name: torch.from_numpy(values) for name, values in batch.items()}


def _joined(examples: list[Row], name: str) -> np.ndarray:
    return np.concatenate([example[name] for example in examples])


def filled(dataset: datasets.Dataset, multiple: int) -> datasets.Dataset:
    """Packed sequences, and behind them as many without targets as make a multiple."""
    missing = -len(dataset) % multiple
    if not missing:
        return dataset
    nothing = {"input_ids": [0, 0], "lengths": [2], "prompts": [2], "weights": [1.0]}
    columns = {name: [value] * missing for name, value in nothing.items()}
    empty = datasets.Dataset.from_dict(columns, features=dataset.features)
    return datasets.concatenate_datasets([dataset, empty])


class Supervised(QuietTrainer, SFTTrainer):
    """SFTTrainer with the loss above."""

    def __init__(self, *args: Any, sequences: int, **kwargs: Any) -> None:
        """Take SFTTrainer's arguments; batches must come from `Collator`.

        Args:
            sequences: How many of the training set hold rows (see `filled`).
            args: SFTTrainer's.
            kwargs: SFTTrainer's.
        """
        self.sequences = sequences
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True  # losses are divided by num_items_in_batch below
        self._kept: torch.Tensor | None = None
        # Without the entropy and accuracy of every token, which nobody reads.
        add_fused_lm_head(self.plain_model, outputs=("log_probs",))
        self.plain_model.base_model.register_forward_hook(self._keep)

    # TRL's returns more than Trainer's; what is returned here both of them take.
    def compute_loss(  # noqa: D102  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        model: PreTrainedModel,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, object]:
        kept = inputs["kept_at"]
        nothing = not len(kept)
        if nothing:  # of several processes one has no row left; it takes part all the same
            kept = kept.new_zeros(1)
        targets = inputs["input_ids"].flatten()[kept + 1]  # what the labels are there
        self._kept = kept
        try:
            outputs = model(
                input_ids=inputs["input_ids"],
                position_ids=inputs["position_ids"],
                shift_labels=targets[None],
                fused_lm_head=True,
                **_apart(inputs),
            )
        finally:
            self._kept = None
        losses = -outputs.log_probs[0]
        if "weights" in inputs:
            losses = losses * inputs["weights"].flatten()[kept + 1]
        count = targets.numel() if num_items_in_batch is None else num_items_in_batch
        loss = losses.sum() / count
        if nothing:
            loss = loss * 0.0
        if num_items_in_batch is not None:
            # They were counted over all processes, and gradients are averaged over them.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _keep(
        self, module: torch.nn.Module, args: object, output: BaseModelOutputWithPast
    ) -> BaseModelOutputWithPast:
        """Pass only the positions with a loss on to the head.

        Few-shot prompts make most of a sequence, and with a vocabulary of 262,144 the head costs
        more than all layers of a small model.
        """
        if self._kept is not None and output.last_hidden_state is not None:
            states = output.last_hidden_state.flatten(0, 1)
            output.last_hidden_state = states.index_select(0, self._kept)[None]
        return output


def _apart(inputs: dict[str, Any]) -> dict[str, object]:
    """What keeps the rows of a flat batch apart; nothing for a padded one."""
    if "row_bounds" in inputs:
        return varlen_attention.inputs(inputs["row_bounds"])
    if "rows_there" not in inputs:
        return {}
    names = row_attention.Layout._fields
    return row_attention.inputs(row_attention.Layout(*(inputs[f"rows_{name}"] for name in names)))


def check_separation(model: PreTrainedModel) -> None:
    """See that packed rows stay apart.

    Raises:
        UserError: they do not (recurrent layers, or attention that ignores position ids).
    """
    if not separates(model):
        kind = getattr(model.config, "model_type", "this")
        raise UserError(
            f"finetune.packing: {kind} models mix the rows of a packed sequence; expected false"
        )


def separates(model: PreTrainedModel) -> bool:
    """Whether a row's logits do not depend on the row packed before it."""
    size = model.config.get_text_config().vocab_size
    second = [1 % size, 2 % size, 3 % size]
    positions = torch.tensor([[0, 1, 2, 0, 1, 2]], device=model.device)
    outputs = []
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for first in ([0, 0, 0], [4 % size, 5 % size, 6 % size]):
            ids = torch.tensor([[*first, *second]], device=model.device)
            logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits
            outputs.append(logits[0, len(first) :])
    model.train(was_training)
    limit = 1e-5 * max(1.0, float(outputs[0].abs().max()))
    return float((outputs[0] - outputs[1]).abs().max()) <= limit
