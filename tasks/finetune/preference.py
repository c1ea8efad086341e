"""Direct preference optimisation on pairs of samples: TRL's DPOTrainer in our surroundings.

The loss is equation 7 of Rafailov et al. (arXiv 2305.18290),

    -log sigmoid(beta * [log p(y_w|x)/p_0(y_w|x) - log p(y_l|x)/p_0(y_l|x)]),

where y_w is a correct and y_l a wrong sample of problem x, and the reference p_0 is the policy that
training starts from: another copy of it, or with adapters the same model without them. Its mean is
taken over the pairs of a forward pass, and then over the forward passes of an optimiser step. With
`nll` the mean negative log-likelihood of the chosen side's tokens stands beside it (iterative RPO,
Pang et al., arXiv 2404.19733, equation 1, which takes each sequence's mean first). With `reference`
p_0 is the base, wherever training starts.

Order, checks of the validation reward, checkpoints and export are those of supervised fine-tuning,
so a killed fine-tune goes on from its last checkpoint here too. Does not cover several processes,
packing, or row weights.
"""

from __future__ import annotations

from pathlib import Path

import datasets
from transformers import AutoTokenizer, PrinterCallback
from trl import DPOConfig, DPOTrainer  # type: ignore[attr-defined]

from tasks.errors import UserError
from tasks.finetune.common import QuietTrainer, arguments
from tasks.finetune.load_model import adapters, load_for, load_plain
from tasks.finetune.process_group import Ranks
from tasks.finetune.tokenised_rows import TokenisedRows
from tasks.processes.wire import Message
from tasks.rows import Json
from tasks.settings import FinetuneSettings


class Preference(TokenisedRows, QuietTrainer, DPOTrainer):
    """DPOTrainer on tokenised pairs (pairs.py)."""


def make_trainer(
    trainer_class: type[Preference],
    job: Message,
    settings: FinetuneSettings,
    *,
    device: str,
    micro: int,
    checkpointing: int,
    dataset: datasets.Dataset,
    total: int,
    output: Path,
) -> Preference:
    """The trainer of a job of `trainer.train`.

    Args:
        trainer_class: Preference, or one with another loss.
        device: cpu or cuda.
        micro: Pairs of a forward pass.
        checkpointing: From so many parameters on, activations are computed again.
        dataset: Pairs as pairs.pack writes them.
        total: Optimiser steps if nothing stops training.
        output: Folder of the checkpoints.

    Raises:
        UserError: several processes were asked for.
    """
    if Ranks().count > 1:
        raise UserError(
            f"resources.train_processes: dpo trains in one process; expected 1, not {Ranks().count}"
        )
    model = load_for(settings, job, device)
    lora = settings.has_adapters
    trainer = trainer_class(
        model=model,
        ref_model=None if lora else load_plain(job.get("reference", job["model"]), device),
        args=DPOConfig(
            output_dir=str(output),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=settings.batch_size // micro,
            gradient_checkpointing=model.num_parameters() >= checkpointing,
            beta=settings.beta,
            **_with_likelihood(arguments(settings, job["seed"], device, total), settings.nll),
        ),
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(job["model"], trust_remote_code=False),
        peft_config=adapters(settings, model) if lora else None,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _with_likelihood(told: Json, weight: float) -> Json:
    """The arguments with the likelihood of the chosen side as a second loss, where it has weight.

    Args:
        told: DPOConfig's.
        weight: Of the second loss; 0: there is none.
    """
    if not weight:
        return told
    first = told.get("loss_type", "sigmoid")
    return {**told, "loss_type": [first, "sft"], "loss_weights": [1.0, weight]}
