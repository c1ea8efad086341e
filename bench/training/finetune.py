"""`restem bench finetune`: tokens a second of the M-step against TRL's SFTTrainer on the same rows.

Four ways take one epoch over the same rows with the same model, optimiser, sequence length and
rows (on average) for each optimiser step, in turns:

- ours: what tasks.finetune.trainer runs, packed;
- TRL: plain `trl.SFTTrainer` with `packing=True` (best fit, rows kept apart);
- TRL, unpacked: the same without packing, rows padded to the longest of a batch;
- ours, masked: packed, with a block-diagonal mask in place of attention row by row.

TRL's own defaults that cost it time are turned off (gradient checkpointing, logging), and its
forward pass has whichever number of rows a trial finds fastest. Real tokens are counted, padding
is not; the clock runs from the first batch to the last optimiser step, so loading, tokenising and
packing are left out everywhere. The loss is compared with that of every row on its own.

On a GPU (`restem bench finetune 4096 3 0 cuda`) the model has 0.3 billion parameters instead of 1.3
million, passes run in bfloat16, and the loss may differ by what its rounding makes.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.training._finetune_rows import SEED, make_rows, save_start
from tasks.rows import ROWS_FILE, TRAINING, Row, write_rows
from tasks.settings import FinetuneSettings, Resources

SEQUENCE_TOKENS = 1024
BATCH = 8  # packed sequences of an optimiser step
LEARNING_RATE = 1e-4
# Packed sequences, or padded rows, of a forward pass of TRL's: which of these is fastest is tried.
PACKED_TRIALS = (1, 2, 4)
UNPACKED_TRIALS = (8, 16, 32)
TRIAL_STEPS = 2
# By device: float32, and bfloat16 passes.
LOSS_LIMIT = {"cpu": 1e-5, "cuda": 5e-2}


Device = Literal["cpu", "cuda"]


@dataclass
class Way:
    """One way of training: makes a trainer, and remembers its speeds."""

    name: str
    make: Callable[[int], Any]  # of so many steps; -1: an epoch
    tokens: int  # real tokens of an epoch
    speeds: list[float] = field(default_factory=list)
    thrifts: list[float] = field(default_factory=list)

    def turn(self) -> str:
        """Train an epoch with a trainer of its own; tokens a second, and of processor time."""
        seconds, processor = _seconds(self.make(-1))
        self.speeds.append(self.tokens / seconds)
        self.thrifts.append(self.tokens / processor)
        return f"{self.speeds[-1]:6.0f} tokens/s, {self.thrifts[-1]:6.0f} of processor time"


def run(
    rows: int | str = 256, rounds: int | str = 5, threads: int | str = 0, device: Device = "cpu"
) -> float:
    """Print the speeds of each turn, the loss's difference and the median ratios.

    Args:
        rows: Training rows.
        rounds: Turns of the four ways.
        threads: Of torch; 0: all cores.
        device: cpu or cuda.

    Returns:
        Median over turns of our tokens a second over those of TRL with packing.
    """
    texts, origin = make_rows(int(rows))
    with tempfile.TemporaryDirectory(prefix="restem-bench-") as scratch:
        place = Path(scratch)
        save_start(texts, place / "start", large=device == "cuda")
        write_rows(place / ROWS_FILE, TRAINING, texts)
        job = _job(place, int(threads), device)
        ours, packed = _ours(job, place)
        print(
            f"{packed.rows} rows ({origin}, no exemplars), {packed.tokens} tokens, "
            f"{packed.sequences} sequences of {SEQUENCE_TOKENS}",
            flush=True,
        )
        step = round(BATCH * packed.rows / packed.sequences)
        trl, unpacked = _trl(place, texts, packed.tokens, step, device)
        masked = Way("ours, masked", lambda steps: _masked(ours.make(steps)), packed.tokens)
        ways = [ours, trl, unpacked, masked]
        _seconds(ours.make(TRIAL_STEPS))  # the first pass of a process is slower
        for turn in range(1, int(rounds) + 1):
            # Each second turn the other way round, so that a drift favours none.
            for way in ways[:: 1 if turn % 2 else -1]:
                print(f"{turn}: {way.name:14} {way.turn()}", flush=True)
        difference = _loss_difference(ours.make(-1))
    by_processor = _median(ours.thrifts, trl.thrifts), _median(ours.thrifts, unpacked.thrifts)
    print("by processor time: {:.3f} of TRL, {:.3f} of TRL unpacked".format(*by_processor))
    print(f"finetune masked ratio={_median(ours.speeds, masked.speeds):.3f}")
    print(f"finetune unpacked ratio={_median(ours.speeds, unpacked.speeds):.3f}")
    limit = LOSS_LIMIT[device]
    good = "ok" if difference <= limit else "TOO MUCH"
    print(f"finetune loss difference={difference:.2e} of {limit:.0e}: {good}")
    ratio = _median(ours.speeds, trl.speeds)
    print(f"finetune ratio={ratio:.3f}")
    return ratio


def _median(ones: list[float], others: list[float]) -> float:
    """Of the ratios of each turn."""
    return statistics.median(a / b for a, b in zip(ones, others, strict=True))


def _job(place: Path, threads: int, device: Device) -> dict[str, Any]:
    settings = FinetuneSettings(
        max_length=SEQUENCE_TOKENS,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        epochs=1,
        checks=0,
    )
    return {
        "rows": str(place / ROWS_FILE),
        "model": str(place / "start"),
        "out": str(place / "out"),
        "settings": settings.model_dump(),
        "seed": SEED,
        "validation": {"prompts": []},
        "resources": Resources(device=device, threads=threads).model_dump(),
    }


def _ours(job: dict[str, Any], place: Path) -> tuple[Way, Any]:
    """What `tasks.finetune.trainer.train` does, up to the training itself."""
    from transformers import AutoTokenizer
    from transformers.utils import logging

    from tasks.finetune.checkpoints import CheckpointFolder, TrainingState
    from tasks.finetune.packing import prepare
    from tasks.finetune.process_setup import keep_freed_memory, set_up_torch
    from tasks.finetune.trainer import _add_callback, _trainer

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    keep_freed_memory()  # for all ways alike
    settings, resources = FinetuneSettings(**job["settings"]), Resources(**job["resources"])
    device = set_up_torch(resources)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    rows = Path(job["rows"])
    dataset, packed = prepare(rows, tokenizer, settings, place / "work", seed=job["seed"])
    epoch = -(-packed.sequences // BATCH)

    def make(steps: int) -> Any:
        total = epoch if steps < 0 else steps
        work = Path(tempfile.mkdtemp(dir=place))
        checkpoints = CheckpointFolder(work)
        weighted = packed.weighted
        trainer = _trainer(job, settings, resources, device, dataset, weighted, total, checkpoints)
        _add_callback(
            trainer,
            tokenizer,
            job,
            TrainingState(),
            checkpoints,
            total,
            lambda _: {},
            lambda *_: None,
            None,
        )
        return trainer

    return Way("ours", make, packed.tokens), packed


def _masked(trainer: Any) -> Any:
    """The same trainer with transformers' attention and the mask that it builds from positions."""
    from tasks.finetune.supervised import Collator

    trainer.plain_model.set_attn_implementation("sdpa")
    trainer.data_collator = Collator(weighted=False)
    return trainer


def _trl(place: Path, texts: list[Row], tokens: int, step: int, device: str) -> tuple[Way, Way]:
    """Plain SFTTrainer with and without packing, each with its fastest forward pass."""
    packed = _fastest(place, texts, True, PACKED_TRIALS, BATCH, device)
    single = _fastest(place, texts, False, UNPACKED_TRIALS, step, device)
    return Way("TRL", packed, tokens), Way("TRL, unpacked", single, tokens)


def _fastest(
    place: Path, texts: list[Row], packing: bool, trials: tuple[int, ...], step: int, device: str
) -> Callable[[int], Any]:
    found: dict[float, tuple[int, Callable[[int], Any]]] = {}
    for micro in trials:
        make = _plain(place, texts, packing, micro, max(1, round(step / micro)), device)
        trainer = make(TRIAL_STEPS)
        seconds, _ = _seconds(trainer)
        found[trainer.state.num_input_tokens_seen / seconds] = micro, make
    micro, make = found[max(found)]
    kind = "sequences" if packing else "rows"
    print(f"TRL's fastest forward pass {'with' if packing else 'without'} packing: {micro} {kind}")
    return make


def _plain(
    place: Path, texts: list[Row], packing: bool, micro: int, passes: int, device: str
) -> Callable[[int], Any]:
    import datasets
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(place / "start")
    columns = {name: [row[name] for row in texts] for name in ("prompt", "completion")}
    dataset = datasets.Dataset.from_dict(columns)

    def make(steps: int) -> Any:
        model = AutoModelForCausalLM.from_pretrained(place / "start", dtype=torch.float32)
        arguments = SFTConfig(
            output_dir=str(place / "trl"),
            max_steps=steps,
            num_train_epochs=1,
            packing=packing,
            max_length=SEQUENCE_TOKENS,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=passes,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="cosine",
            seed=SEED,
            use_cpu=device == "cpu",
            bf16=device == "cuda",
            gradient_checkpointing=False,
            include_num_input_tokens_seen="non_padding" if steps > 0 else "no",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=model, args=arguments, train_dataset=dataset, processing_class=tokenizer
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    return make


def _seconds(trainer: Any) -> tuple[float, float]:
    """Train, and give wall and processor time from the first batch to the last optimiser step."""
    from transformers import TrainerCallback

    marks: list[tuple[float, float]] = []

    class Clock(TrainerCallback):
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            marks.append((time.perf_counter(), time.process_time()))

        def on_step_end(self, *_: Any, **__: Any) -> None:
            marks.append((time.perf_counter(), time.process_time()))

    trainer.add_callback(Clock())
    # In front, so that the last step is timed before what ends the training.
    callbacks = trainer.callback_handler.callbacks
    callbacks.insert(0, callbacks.pop())
    trainer.train()
    return marks[-1][0] - marks[0][0], marks[-1][1] - marks[0][1]


def _loss_difference(trainer: Any) -> float:
    """The most that a packed batch's loss differs from the mean over its rows, each on its own."""
    import torch

    from tasks.finetune.supervised import IGNORED

    trainer.train()
    model = trainer.plain_model.eval()
    worst = 0.0
    examples = list(trainer.train_dataset)
    for first in range(0, len(examples), BATCH):
        batch = examples[first : first + BATCH]
        with torch.no_grad():
            packed = float(
                trainer.compute_loss(model, trainer._prepare_inputs(trainer.data_collator(batch)))
            )
            total, count = 0.0, 0
            for ids, prompt in _rows_of(batch):
                labels = torch.tensor(ids[1:], device=model.device)
                labels[: max(prompt, 1) - 1] = IGNORED
                logits = model(torch.tensor([ids], device=model.device)).logits[0, :-1].double()
                losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
                total += float(losses.sum())
                count += int((labels != IGNORED).sum())
        worst = max(worst, abs(packed - total / count))
    return worst


def _rows_of(examples: list[dict[str, Any]]) -> list[tuple[list[int], int]]:
    """Tokens and prompt length of every row in packed sequences."""
    rows = []
    for example in examples:
        end = 0
        for length, prompt in zip(example["lengths"], example["prompts"], strict=True):
            start, end = end, end + length
            rows.append((example["input_ids"][start:end], prompt))
    return rows
