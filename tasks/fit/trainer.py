"""Fit a reward model: a child process, resumable as fine-tuning is.

Order, checkpoints, checks and the files of a killed fit are those of tasks/finetune: the accuracy
on held-out pairs takes the place of the validation reward. On CPU with the same threads and batch
sizes the weights have the same bytes whether it was killed on the way or not.

Does not cover several processes or adapters.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.decoding.trained_ids import TrainedIds, ends_of
from tasks.errors import UserError
from tasks.finetune.reward_model import load_reward_model, rewards_of
from tasks.fit.pack import TokenPair, TokenPairs, is_watched, pack_pairs, shuffled
from tasks.fit.results import FitFacts
from tasks.processes.wire import Message, Wire, answer_requests
from tasks.rows import TOKEN_IDS, read_rows
from tasks.settings import FinetuneSettings, Resources
from tasks.settings.reward import RewardSettings

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Of checks in a row without a better accuracy; the schedule's later steps are small.
_PATIENCE = 100


def main(wire: Wire) -> None:
    """Serve fits in a child process."""
    from tasks.finetune.process_setup import keep_freed_memory

    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    keep_freed_memory()
    answer_requests(wire, lambda request, wire: fit(request, wire.progress, wire.alive))


def fit(
    job: Message,
    progress: Callable[[int, int], None] | None = None,
    alive: Callable[[], None] | None = None,
) -> Message:
    """Fit a reward model, or go on with a fit that was killed.

    Args:
        job: preferences and samples (paths of Parquet files), prompts (by problem), chat, model
            (folder to start from), out, work (folder that outlives a kill), settings
            (RewardSettings), seed, shuffled (0, or the number of a model that is fit with each
            other pair's labels) and resources (Resources).
        progress: Told the optimiser steps done and how many there are.
        alive: Told after each forward pass.

    Returns:
        A FitFacts as JSON, and seconds.

    Raises:
        UserError: no pair to fit on, or a model that can give no reward.
    """
    from transformers import AutoTokenizer, PrinterCallback
    from transformers.utils import logging
    from trl import RewardConfig  # type: ignore[attr-defined]

    from tasks.finetune.callbacks import TrainingCallback
    from tasks.finetune.checkpoints import CheckpointFolder, TrainingState
    from tasks.finetune.common import arguments
    from tasks.finetune.number_format import Rounding
    from tasks.finetune.process_setup import micro_batch, set_up_torch
    from tasks.fit.held_out import write_held_out
    from tasks.fit.soft_labels import SoftRewardTrainer

    logging.disable_progress_bar()
    settings, resources = RewardSettings(**job["settings"]), Resources(**job["resources"])
    device = set_up_torch(resources)
    start, checkpoints = Path(job["model"]), CheckpointFolder(Path(job["work"]))
    checkpoints.claim(_identity(job))
    tokenizer = AutoTokenizer.from_pretrained(start, trust_remote_code=False)
    pairs = _pairs(job, settings, tokenizer)
    plain = _as_finetune(settings)
    total = math.ceil(settings.epochs * math.ceil(len(pairs.train) / settings.batch_size))
    # A pair passes through the model as two rows.
    micro = micro_batch(settings.batch_size, max(1, resources.train_batch_size // 2))
    began = time.monotonic()
    # Another head and another order, but the same pairs held out.
    own_seed = job["seed"] + job.get("shuffled", 0)
    model = load_reward_model(start, tokenizer, own_seed)
    trainer = SoftRewardTrainer(
        model=model,
        args=RewardConfig(
            output_dir=str(checkpoints.folder),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=settings.batch_size // micro,
            gradient_checkpointing=False,
            **{
                name: value
                for name, value in arguments(plain, own_seed, device, total).items()
                if name != "router_aux_loss_coef"
            },
        ),
        train_dataset=_dataset(pairs.train),
        center=settings.center,
        processing_class=tokenizer,
    )
    trainer.rounding = Rounding(start)
    trainer.remove_callback(PrinterCallback)
    course, latest = checkpoints.finished(), checkpoints.latest()
    if course is None:
        folder, course = latest if latest else (None, TrainingState())
        held = [
            pair
            for pair in pairs.held_out
            if pair.p != 0.5 and is_watched(pair.name[0], settings.held_out, job["seed"])
        ]
        callback = TrainingCallback(
            course,
            checkpoints,
            plain,
            total=total,
            validate=(lambda: right(model, held, resources.batch_size))
            if held and settings.checks
            else None,
            minutes=resources.checkpoint_minutes,
            progress=progress,
            alive=alive,
        )
        callback.trainer = trainer
        trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=str(folder) if folder else None)
    _export(model, checkpoints.best(course.best_step), start, Path(job["out"]))
    known = [ids for pair in pairs.held_out for ids in (pair.first, pair.second)]
    rewards = rewards_of(model, known, resources.batch_size) if known else [0.0]
    write_held_out(Path(job["out"]), pairs.held_out, rewards, settings.held_out, job["seed"])
    mean = sum(rewards) / len(rewards)
    spread = math.sqrt(sum((reward - mean) ** 2 for reward in rewards) / len(rewards))
    facts = FitFacts(
        pairs=len(pairs.train),
        held_out=len(pairs.held_out),
        dropped_long=pairs.dropped_long,
        unlabelled=pairs.unlabelled,
        tokens=pairs.tokens,
        steps=course.steps,
        best_step=course.best_step,
        accuracy=course.best_reward,
        mean=mean,
        deviation=spread,
        history=course.history,
    )
    return {**facts.to_json(), "seconds": {"training": round(time.monotonic() - began, 3)}}


def right(model: PreTrainedModel, pairs: Sequence[TokenPair], batch_size: int) -> list[float]:
    """1 for each pair whose preferred sample has the higher reward, 1/2 for equal rewards."""
    texts = [ids for pair in pairs for ids in (pair.first, pair.second)]
    rewards = rewards_of(model, texts, batch_size)
    return [
        0.5 if one == two else float((one > two) == (pair.p > 0.5))
        for pair, one, two in zip(pairs, rewards[::2], rewards[1::2], strict=True)
    ]


def columns_of(samples: Path) -> list[str]:
    """What is read of samples: their tokens too, where they have them."""
    import pyarrow.parquet as pq

    there = set(pq.read_schema(samples).names)
    return [name for name in ("problem_id", "index", "text", TOKEN_IDS) if name in there]


def _as_finetune(settings: RewardSettings) -> FinetuneSettings:
    """What the trainers have in common, in fine-tuning's words."""
    return FinetuneSettings(
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        max_length=settings.max_length,
        checks=settings.checks,
        patience=_PATIENCE,
    )


def _pairs(
    job: Message, settings: RewardSettings, tokenizer: PreTrainedTokenizerBase
) -> TokenPairs:
    samples = {
        (row["problem_id"], row["index"]): (row["text"], row.get(TOKEN_IDS))
        for path in job["samples"]
        for row in read_rows(Path(path), columns_of(Path(path)))
        if row["problem_id"] in job["prompts"]
    }
    pairs = pack_pairs(
        (row for path in job["preferences"] for row in read_rows(Path(path))),
        samples,
        job["prompts"],
        TrainedIds(tokenizer, chat=job.get("chat", False), ends=ends_of(Path(job["model"]))),
        max_length=settings.max_length,
        held_out=settings.held_out,
        seed=job["seed"],
    )
    if not pairs.train:
        raise UserError(
            f"reward.by: no pair to fit a reward model on ({pairs.dropped_long} too long for "
            f"reward.max_length = {settings.max_length}, {pairs.unlabelled} without a label, "
            f"{len(pairs.held_out)} held out); expected at least one"
        )
    if number := job.get("shuffled", 0):
        pairs.train = shuffled(pairs.train, job["seed"] + number)
    return pairs


def _dataset(pairs: Sequence[TokenPair]) -> datasets.Dataset:
    import datasets

    return datasets.Dataset.from_dict(
        {
            "chosen_ids": [pair.first for pair in pairs],
            "rejected_ids": [pair.second for pair in pairs],
            "margin": [pair.p for pair in pairs],  # the one number that TRL's collator passes on
        }
    )


def _export(model: PreTrainedModel, weights: Path, start: Path, out: Path) -> None:
    """Write the folder of a reward model."""
    import torch
    from safetensors.torch import load_file

    from tasks.finetune.export import COMPANIONS

    kept = load_file(weights)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(kept[name])
    shutil.rmtree(out, ignore_errors=True)
    model.config.use_cache = True
    model.save_pretrained(out)
    for path in out.glob("*.safetensors"):
        path.chmod(0o644)
    for name in COMPANIONS:
        if (start / name).exists():
            shutil.copyfile(start / name, out / name)


def _identity(job: Message) -> str:
    """What a checkpoint must have been made from to be of use to this job."""
    files = []
    for path in (*job["preferences"], *job["samples"]):
        with Path(path).open("rb") as file:
            files.append(hashlib.file_digest(file, "sha256").hexdigest())
    model = sorted((path.name, path.stat().st_size) for path in Path(job["model"]).glob("*.*"))
    parts = [job["settings"], job["seed"], job["prompts"], files, model, job.get("shuffled", 0)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest() + "\n"
