"""KTO on single samples, right or wrong: TRL's KTOTrainer in our surroundings.

The loss is equation 7 of Ethayarajh et al. (arXiv 2402.01306): with r = log p(y|x)/p_0(y|x),

    w_D (1 - sigmoid(beta (r - z)))  for a right sample,
    w_U (1 - sigmoid(beta (z - r)))  for a wrong one,

where z >= 0 estimates KL(p || p_0) by the mean of r over the samples of a forward pass, each with
the prompt of the one before it. The weights make both kinds count the same however many there are
of each (equation 8 wants w_D n_D / (w_U n_U) in [1, 4/3]; here it is 1, the smaller weight 1).

TRL looks for these other prompts once and then needs a fixed order; here they are found batch by
batch, so that the order is another one each epoch, as for every trainer of ours. Does not cover
several processes, packing, or row weights.
"""

from __future__ import annotations

from pathlib import Path

import datasets
from transformers import AutoTokenizer, PrinterCallback
from trl import KTOConfig, KTOTrainer  # type: ignore[attr-defined]

from tasks.errors import UserError
from tasks.finetune.common import QuietTrainer, arguments
from tasks.finetune.load_model import adapters, load_for, load_plain
from tasks.finetune.process_group import Ranks
from tasks.finetune.tokenised_rows import TokenisedRows
from tasks.processes.wire import Message
from tasks.rows import LABEL, Row
from tasks.settings import FinetuneSettings


class SingleLabels(TokenisedRows, QuietTrainer, KTOTrainer):
    """KTOTrainer on tokenised rows (labelled_rows.py)."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Take KTOTrainer's arguments."""
        super().__init__(*args, **kwargs)
        plain = self.data_collator
        self.data_collator = lambda rows: plain(mismatched(rows))


def mismatched(rows: list[Row]) -> list[Row]:
    """The rows of a forward pass, each with the completion of the one before it besides.

    Args:
        rows: With `completion_ids`.
    """
    others = [rows[place - 1]["completion_ids"] for place in range(len(rows))]
    return [{**row, "KL_completion_ids": other} for row, other in zip(rows, others, strict=True)]


def label_weights(right: int, wrong: int) -> tuple[float, float]:
    """Weights of right and of wrong samples with which both kinds count the same.

    Args:
        right: How many there are; at least 1.
        wrong: The same.
    """
    return max(1.0, wrong / right), max(1.0, right / wrong)


def make_trainer(
    trainer_class: type[SingleLabels],
    job: Message,
    settings: FinetuneSettings,
    *,
    device: str,
    micro: int,
    checkpointing: int,
    dataset: datasets.Dataset,
    total: int,
    output: Path,
) -> SingleLabels:
    """The trainer of a job of `trainer.train`; arguments as preference.make_trainer takes them.

    Raises:
        UserError: several processes were asked for, or one sample in a forward pass.
    """
    if Ranks().count > 1:
        raise UserError(
            f"resources.train_processes: kto trains in one process; expected 1, not {Ranks().count}"
        )
    if micro < 2:
        raise UserError(
            "resources.train_batch_size: kto compares the samples of a forward pass; expected at "
            "least 4, and an even finetune.batch_size"
        )
    model = load_for(settings, job, device)
    lora = settings.has_adapters
    right = sum(dataset[LABEL])
    desirable, undesirable = label_weights(right, len(dataset) - right)
    trainer = trainer_class(
        model=model,
        ref_model=None if lora else load_plain(job.get("reference", job["model"]), device),
        args=KTOConfig(
            output_dir=str(output),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=settings.batch_size // micro,
            gradient_checkpointing=model.num_parameters() >= checkpointing,
            beta=settings.beta,
            desirable_weight=desirable,
            undesirable_weight=undesirable,
            train_sampling_strategy="sequential",  # what KTOTrainer asks for; the order is ours
            **arguments(settings, job["seed"], device, total),
        ),
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(job["model"], trust_remote_code=False),
        peft_config=adapters(settings, model) if lora else None,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
