"""The M-step of ReST^EM: fine-tune a policy on the selected samples (arXiv 2312.06585, section 3).

`train` does one fine-tune and `main` serves it in a child process. A killed fine-tune, called again
with the same job, goes on from its last whole checkpoint; on CPU with the same threads and batch
sizes the final model then has the same bytes as that of an undisturbed run. Not bitwise:

- CUDA: several of its kernels add in an order that differs from run to run.
- Another number of threads or another `train_batch_size`: sums are split differently.
- Validation rewards that are not a function of the texts (a checker that runs into its time limit),
  or a machine so short of memory that `decode` makes its batches smaller in one of the runs.

`train` is also what each of several processes runs (worker.py, process_group.py): the sequences of
an optimiser step are split among them, and all else is the same as in one process but for the order
in which sums are added.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.decoding.trained_ids import ends_of
from tasks.errors import UserError
from tasks.finetune.load_model import adapters, is_split, load_for
from tasks.finetune.number_format import Rounding
from tasks.finetune.objectives import objective_of
from tasks.finetune.process_group import Ranks
from tasks.finetune.process_setup import keep_freed_memory, micro_batch, set_up_torch
from tasks.finetune.visible_gpu import one_gpu
from tasks.processes.wire import Message, Wire, answer_requests
from tasks.settings import FinetuneSettings, Resources

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from tasks.finetune.callbacks import TrainingCallback
    from tasks.finetune.checkpoints import CheckpointFolder, TrainingState
    from tasks.finetune.common import QuietTrainer
    from tasks.finetune.results import HistoryEntry
    from tasks.finetune.supervised import Flat

Ask = Callable[[Message], Message]

# From so many parameters on, activations are computed again in the backward pass.
CHECKPOINTING_PARAMETERS = 1_000_000_000


def main(wire: Wire) -> None:
    """Serve fine-tuning jobs in a child process."""
    os.environ["CUDA_VISIBLE_DEVICES"] = one_gpu(os.environ.get("CUDA_VISIBLE_DEVICES"))
    keep_freed_memory()
    answer_requests(wire, lambda request, wire: train(request, wire.ask, wire.progress, wire.alive))


def train(
    job: Message,
    ask: Ask,
    progress: Callable[[int, int], None] | None = None,
    alive: Callable[[], None] | None = None,
) -> Message:
    """Fine-tune, or go on with a fine-tune that was killed.

    Args:
        job: rows (path of training rows), model (folder to start from), out (folder for the
            result), work (folder that outlives a kill), settings (FinetuneSettings), seed,
            validation (prompts, max_tokens, stop, batch_size) and resources (Resources). Where
            prompts are rendered chats: chat (true), and in validation ends (Sampling's). Where rl
            draws samples: reward (sample_rewards.py). Where each entry of the history is to be a
            line of the output (log_lines.py): label.
        ask: Answers {"score": [text, ...]} with {"rewards": [number, ...]}; in rl also what
            sample_rewards.py asks.
        progress: Told the optimiser steps done and how many there are at most.
        alive: Told after each forward pass, and while validation problems are solved.

    Returns:
        rows, dropped_long, sequences, tokens and targets (an epoch's, all and those with a loss),
        steps (taken), best_step, best_reward, history, choose; and, apart because it differs from
        run to run, seconds.

    Raises:
        UserError: nothing to train on, or a model that cannot be trained as asked.
    """
    began = time.monotonic()
    settings = FinetuneSettings(**job["settings"])
    resources = Resources(**job["resources"])
    device = set_up_torch(resources)

    from transformers import AutoTokenizer
    from transformers.utils import logging

    from tasks.finetune import labelled_rows, prompt_rows
    from tasks.finetune import pairs as pairing
    from tasks.finetune.checkpoints import CheckpointFolder, TrainingState, identity_of
    from tasks.finetune.export import export, export_afresh
    from tasks.finetune.packing import load, prepare

    logging.disable_progress_bar()
    seconds = {"imports": time.monotonic() - began}
    start, work = Path(job["model"]), Path(job["work"])
    ranks = Ranks()
    checkpoints, objective = CheckpointFolder(work), objective_of(settings)
    began = time.monotonic()
    tokenizer = AutoTokenizer.from_pretrained(start, trust_remote_code=False)

    def found() -> tuple[TrainingState | None, tuple[Path, TrainingState] | None]:
        checkpoints.claim(identity_of(job))
        pack = pairing.pack if objective.pairs else None
        if objective.labels:
            pack = labelled_rows.pack
        if objective.prompts:
            pack = prompt_rows.pack_for(job["validation"]["max_tokens"])
        prepare(
            Path(job["rows"]),
            tokenizer,
            settings,
            work,
            seed=job["seed"],
            pack=pack,
            chat=job.get("chat", False),
            ends=ends_of(start),
        )
        return checkpoints.finished(), checkpoints.latest()

    course, latest = ranks.tell(found)
    dataset, packed = load(work)
    seconds["packing"] = time.monotonic() - began

    # Of problems, of each of which some samples are drawn.
    batch = settings.batch_size // (settings.generations if objective.prompts else 1)
    total = math.ceil(settings.epochs * math.ceil(packed.sequences / batch))
    began = time.monotonic()
    trainer = _trainer(
        job, settings, resources, device, dataset, packed.weighted, total, checkpoints, ask, alive
    )
    if course is None:
        folder, course = latest if latest else (None, TrainingState())
        callback = _add_callback(
            trainer, tokenizer, job, course, checkpoints, total, ask, progress, alive
        )
        trainer.train(resume_from_checkpoint=str(folder) if folder else None)
        seconds |= callback.seconds
    seconds["training"] = time.monotonic() - began - seconds.get("validation", 0.0)
    began = time.monotonic()
    if ranks.first:
        best = checkpoints.best(course.best_step)
        if is_split(job["resources"]) or settings.method == "qlora":
            export_afresh(job, settings, best)
        else:
            export(trainer.trained_model, best, start, Path(job["out"]))
    seconds["export"] = time.monotonic() - began
    return {
        "rows": packed.rows,
        "dropped_long": packed.dropped_long,
        "sequences": packed.sequences,
        "tokens": packed.tokens,
        "targets": packed.targets,
        "steps": course.steps,
        "best_step": course.best_step,
        "best_reward": course.best_reward,
        "history": [entry.to_json() for entry in course.history],
        "choose": settings.choose,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def _trainer(
    job: Message,
    settings: FinetuneSettings,
    resources: Resources,
    device: str,
    dataset: datasets.Dataset,
    weighted: bool,
    total: int,
    checkpoints: CheckpointFolder,
    ask: Ask | None = None,
    alive: Callable[[], None] | None = None,
) -> QuietTrainer:
    objective = objective_of(settings)
    if objective.prompts:
        assert ask is not None  # rewards come from the parent
        from tasks.finetune import reinforce
        from tasks.finetune.sample_rewards import rewards_for

        return reinforce.make_trainer(
            job,
            settings,
            device=device,
            micro=micro_batch(settings.batch_size, resources.train_batch_size),
            checkpointing=CHECKPOINTING_PARAMETERS,
            dataset=dataset,
            total=total,
            output=checkpoints.folder,
            rewards=rewards_for(job, ask, device),
            alive=alive,
        )
    if objective.pairs or objective.labels:
        if objective.pairs:
            from tasks.finetune.preference import make_trainer
        else:
            from tasks.finetune.single_labels import make_trainer

        # A pair passes through the model as two rows, and a sample with another one's prompt too.
        micro = micro_batch(settings.batch_size, max(1, resources.train_batch_size // 2))
        return make_trainer(
            objective.load(),
            job,
            settings,
            device=device,
            micro=micro,
            checkpointing=CHECKPOINTING_PARAMETERS,
            dataset=dataset,
            total=total,
            output=checkpoints.folder,
        )
    from transformers import AutoTokenizer, PrinterCallback
    from trl import SFTConfig  # type: ignore[attr-defined]

    from tasks.finetune.common import arguments
    from tasks.finetune.supervised import Collator, check_separation, filled, separates

    ranks = Ranks()
    own, rest = divmod(settings.batch_size, ranks.count)
    if rest:
        raise UserError(
            f"finetune.batch_size: {settings.batch_size} sequences cannot be split among "
            f"{ranks.count} processes (resources.train_processes); expected a multiple"
        )
    split = is_split(job["resources"])
    model = load_for(settings, job, device)
    if settings.packing:
        check_separation(model)
    # Rows of a flat batch meet as packed ones do, whatever `packing` says.
    apart = settings.packing or separates(model)
    flat = _flat(model, job, device, settings.max_length) if apart else ""
    if split:
        from tasks.finetune.split_model import take_apart

        take_apart(model)
    micro = micro_batch(own, resources.train_batch_size)
    config = SFTConfig(
        output_dir=str(checkpoints.folder),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=own // micro,
        gradient_checkpointing=model.num_parameters() >= CHECKPOINTING_PARAMETERS,
        # Rows come packed and tokenised, and our own collator keeps them apart.
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        ddp_find_unused_parameters=False,
        # Processes have met by now (process_group.py); made anew, the group would forget how.
        accelerator_config={"use_configured_state": ranks.count > 1},
        **arguments(settings, job["seed"], device, total),
    )
    trainer = objective.load()(
        model=model,
        args=config,
        # Each process makes as many forward passes as the others, some perhaps of nothing.
        train_dataset=filled(dataset, ranks.count * micro) if ranks.count > 1 else dataset,
        sequences=len(dataset),
        processing_class=AutoTokenizer.from_pretrained(job["model"], trust_remote_code=False),
        data_collator=Collator(weighted=weighted, flat=flat),
        # A split model comes with its adapters.
        peft_config=adapters(settings, model) if settings.has_adapters and not split else None,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _flat(model: PreTrainedModel, job: Message, device: str, longest: int) -> Flat:
    """How flat batches keep their rows apart; "" where padded ones and a mask do it."""
    from tasks.finetune import row_attention, varlen_attention

    if device != "cuda":
        return "layout" if row_attention.fits(model, longest) else ""
    # There many small products cost more than the mask saves (docs/decisions/0005).
    return "bounds" if varlen_attention.fits(model, longest) else ""


def _add_callback(
    trainer: QuietTrainer,
    tokenizer: PreTrainedTokenizerBase,
    job: Message,
    course: TrainingState,
    checkpoints: CheckpointFolder,
    total: int,
    ask: Ask,
    progress: Callable[[int, int], None] | None,
    alive: Callable[[], None] | None,
) -> TrainingCallback:
    from tasks.finetune.callbacks import TrainingCallback, validator
    from tasks.finetune.log_lines import log_line

    def noted(entry: HistoryEntry) -> None:
        if "label" in job and Ranks().first:
            print(log_line(job["label"], total, entry), flush=True)

    settings = FinetuneSettings(**job["settings"])
    trainer.rounding = Rounding(Path(job["model"]))
    checked = settings.checks and job["validation"]["prompts"]
    callback = TrainingCallback(
        course,
        checkpoints,
        settings,
        total=total,
        validate=validator(
            trainer, tokenizer, job["validation"], ask, is_split(job["resources"]), alive
        )
        if checked
        else None,
        minutes=job["resources"]["checkpoint_minutes"],
        progress=progress,
        alive=alive,
        noted=noted,
    )
    callback.trainer = trainer
    trainer.add_callback(callback)
    return callback
