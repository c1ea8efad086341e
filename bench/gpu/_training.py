"""Rows, jobs and trainers of the steps that train, and what is measured of one."""

from __future__ import annotations

import contextlib
import copy
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.gpu._models import SEED, rows_of, texts
from bench.gpu._record import Bench, peak_gigabytes, reset_peak, wait_for
from tasks.processes.wire import Message
from tasks.rows import PAIR, ROWS_FILE, TRAINING, Row, write_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Of the first steps kernels are chosen and memory is taken.
WARM_STEPS = 2
LEARNING_RATE = 1e-4


def rows(count: int, tokens: int) -> list[Row]:
    """Training rows of weight 1 with about so many tokens each, half of them the completion's."""
    return rows_of(texts(count, tokens - 1))


def pairs(count: int, tokens: int) -> list[Row]:
    """The same with a second completion that is to be rejected."""
    more = texts(count, tokens // 2, seed=1)
    return [
        {**row, "rejected": text, "rejected_index": 1, "rejected_samples": "bench"}
        for row, text in zip(rows(count, tokens), more, strict=True)
    ]


def job(
    bench: Bench,
    start: Path,
    given: list[Row],
    name: str,
    *,
    micro: int = 8,
    minutes: float = 60.0,
    **settings: Any,
) -> Message:
    """A job of tasks.finetune.trainer, its rows written.

    Args:
        bench: The step.
        start: Folder of the model, or of its tokenizer alone.
        given: Rows, or pairs.
        name: Of the job's folder.
        micro: Sequences of a forward pass at most.
        minutes: Between checkpoints.
        settings: Of FinetuneSettings.
    """
    from tasks.settings import FinetuneSettings, Resources

    folder = bench.place / name
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / ROWS_FILE, PAIR if "rejected" in given[0] else TRAINING, given)
    resources = Resources(
        device="cpu" if bench.small else "cuda",  # not asked of torch: see _processes.py
        threads=2 if bench.small else 0,
        train_batch_size=micro,
        checkpoint_minutes=minutes,
    )
    plain = {"learning_rate": LEARNING_RATE, "epochs": 1, "checks": 0}
    return {
        "rows": str(folder / ROWS_FILE),
        "model": str(start),
        "out": str(folder / "out"),
        "work": str(folder / "work"),
        "settings": FinetuneSettings.model_validate({**plain, **settings}).model_dump(),
        "seed": SEED,
        "validation": {"prompts": []},
        "resources": resources.model_dump(),
    }


@dataclass(frozen=True)
class Ours:
    """Our trainer, not begun, and what it trains on."""

    trainer: Any
    sequences: int
    tokens: int

    def fill(self, longest: int) -> float:
        """Share of the packed sequences' places that hold tokens."""
        return self.tokens / (self.sequences * longest)


def ours(of: Message, model: PreTrainedModel | None, steps: int) -> Ours:
    """What `tasks.finetune.trainer.train` makes, up to the training itself.

    Args:
        of: As `job` gives it.
        model: Trained in place of the one in the job's folder; a copy of it is.
        steps: Optimiser steps.
    """
    from transformers import AutoTokenizer

    from tasks.finetune import pairs as pairing
    from tasks.finetune.checkpoints import CheckpointFolder
    from tasks.finetune.objectives import OBJECTIVES
    from tasks.finetune.packing import prepare
    from tasks.finetune.process_setup import set_up_torch
    from tasks.finetune.trainer import _trainer
    from tasks.settings import FinetuneSettings, Resources

    settings, resources = FinetuneSettings(**of["settings"]), Resources(**of["resources"])
    device = set_up_torch(resources)
    tokenizer = AutoTokenizer.from_pretrained(of["model"])
    work = Path(of["work"])
    pack = pairing.pack if OBJECTIVES[settings.improve].pairs else None
    dataset, packed = prepare(
        Path(of["rows"]), tokenizer, settings, work, seed=of["seed"], pack=pack
    )
    with _given(model):
        trainer = _trainer(
            of,
            settings,
            resources,
            device,
            dataset,
            packed.weighted,
            steps,
            CheckpointFolder(work),
        )
    return Ours(trainer, packed.sequences, packed.tokens)


@contextlib.contextmanager
def _given(model: PreTrainedModel | None) -> Iterator[None]:
    """Trainers made meanwhile get copies of this model, which spares files of gigabytes."""
    from tasks.finetune import preference, trainer

    if model is None:
        yield
        return
    before = trainer.load_for, preference.load_for, preference.load_plain

    def copied(*given: Any) -> Any:
        return copy.deepcopy(model).to(given[-1])  # the device

    trainer.load_for = preference.load_for = preference.load_plain = copied
    try:
        yield
    finally:
        trainer.load_for, preference.load_for, preference.load_plain = before


@dataclass(frozen=True)
class Speed:
    """Of a training.

    Attributes:
        steps: Seconds of each step that counts.
        tokens: Of these steps, without padding.
        loss: Of the last of them.
        peak: Gigabytes of the card; None on a CPU.
    """

    steps: tuple[float, ...]
    tokens: int
    loss: float
    peak: float | None

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / sum(self.steps)


def timed(bench: Bench, trainer: Any, count: Callable[[dict[str, Any]], int]) -> Speed:
    """Train, and time the steps after the first ones.

    Args:
        bench: The step.
        trainer: Not begun; it takes more than `WARM_STEPS` steps.
        count: Real tokens of a batch as the collator gives it.
    """
    from transformers import TrainerCallback

    marks: list[float] = []
    tokens = 0
    losses: list[tuple[int, Any]] = []  # the step, and what a forward pass gave
    collate, step = trainer.data_collator, trainer.training_step

    class Clock(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            wait_for(bench.device)
            marks.append(time.perf_counter())

    def collated(examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = collate(examples)
        batches.append(count(batch))
        return batch

    def stepped(*args: Any, **kwargs: Any) -> Any:
        nonlocal tokens
        loss = step(*args, **kwargs)
        # Batches are made before they are needed, so they are counted where they are used.
        used = batches.pop(0)
        tokens += used if len(marks) >= WARM_STEPS else 0
        losses.append((len(marks), loss.detach()))
        return loss

    batches: list[int] = []
    trainer.data_collator, trainer.training_step = collated, stepped
    trainer.add_callback(Clock())
    reset_peak()
    trainer.train()
    counted = marks[WARM_STEPS - 1 :]
    steps = tuple(after - before for before, after in itertools.pairwise(counted))
    last = sum(float(loss) for at, loss in losses if at == len(marks) - 1)
    return Speed(steps, tokens, last, peak_gigabytes())


def count_ours(batch: dict[str, Any]) -> int:
    """Tokens of a batch of our collator, which pads with rows of one token at position 0."""
    if "rows_there" in batch:
        return int(batch["input_ids"].numel())
    inner = batch["position_ids"] > 0
    # A row has one token at position 0, and then others; padding has none behind it.
    first = (batch["position_ids"][:, :-1] == 0) & inner[:, 1:]
    return int(inner.sum() + first.sum())


@dataclass(frozen=True)
class Differences:
    """Between a batch of rows together and each row by itself.

    Attributes:
        loss: Of the mean loss.
        token: The largest of a token's log-likelihood.
    """

    loss: float
    token: float


def against_rows(trainer: Any, examples: Sequence[dict[str, Any]], half: bool) -> Differences:
    """Our loss over rows together, as they are trained, against every row by itself.

    Args:
        trainer: Ours.
        examples: Of its training set.
        half: In bfloat16, as on a card; else in float32.
    """
    import torch

    model: Any = trainer.plain_model
    was = model.training
    model.eval()
    kind = next(model.parameters()).device.type
    batch = trainer._prepare_inputs(trainer.data_collator(list(examples)))
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=half):
        _, outputs = trainer.compute_loss(model, batch, return_outputs=True)
        together = outputs.log_probs[0].float()
        alone = [_log_likelihoods(model, ids, prompt) for ids, prompt in _rows_of(examples)]
    model.train(was)
    apart = torch.cat(alone)
    return Differences(
        loss=float((together.double().mean() - apart.double().mean()).abs()),
        token=float((together - apart).abs().max()),
    )


def _log_likelihoods(model: Any, ids: list[int], prompt: int) -> Any:
    import torch

    given = torch.tensor([ids], device=model.device)
    logits = model(given, use_cache=False).logits[0, max(prompt, 1) - 1 : -1].float()
    targets = given[0, max(prompt, 1) :]
    return -torch.nn.functional.cross_entropy(logits, targets, reduction="none")


def _rows_of(examples: Sequence[dict[str, Any]]) -> Iterator[tuple[list[int], int]]:
    """Tokens and prompt length of every row in packed sequences."""
    for example in examples:
        end = 0
        for length, prompt in zip(example["lengths"], example["prompts"], strict=True):
            start, end = end, end + length
            yield example["input_ids"][start:end], prompt
