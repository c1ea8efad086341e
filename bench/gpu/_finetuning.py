"""Step `finetune`: tokens a second of training, ours in several ways against TRL's packing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gpu._card import matmul_rate, published
from bench.gpu._models import (
    HALF,
    ONE_AND_HALF,
    SEED,
    TINY_HALF,
    TINY_ONE_AND_HALF,
    Shape,
    make,
    tokenizer,
)
from bench.gpu._record import Bench, reset_peak
from bench.gpu._training import (
    LEARNING_RATE,
    WARM_STEPS,
    Speed,
    against_rows,
    count_ours,
    job,
    ours,
    rows,
    timed,
)
from bench.gpu._ways import Way, chosen, put
from tasks.rows import Row


@dataclass(frozen=True)
class Load:
    """Rows of about so many tokens, packed into sequences of at most `longest`.

    Attributes:
        tokens: Of a row.
        longest: Tokens of a sequence.
        sequences: Of an optimiser step, all in one forward pass.
        timed: Steps that count.
    """

    tokens: int
    longest: int
    sequences: int
    timed: int = 3

    @property
    def steps(self) -> int:
        """All of them."""
        return WARM_STEPS + self.timed

    @property
    def rows_a_step(self) -> int:
        """On average."""
        return max(1, self.longest * self.sequences // self.tokens)


FULL = (Load(130, 1024, 16), Load(1150, 4096, 4))
SMALL = (Load(40, 128, 2, timed=1), Load(100, 256, 1, timed=1))
SHAPES, SMALL_SHAPES = (HALF, ONE_AND_HALF), (TINY_HALF, TINY_ONE_AND_HALF)
WAYS: tuple[Way, ...] = ("as made", "mask", "by row")


def finetune(bench: Bench) -> None:
    """Every shape, rows of every length, every way; what matters most comes first."""
    rate = published() or matmul_rate(bench)
    for shape in SMALL_SHAPES if bench.small else SHAPES:
        model: Any = make(shape.config(), bench.device)
        start = bench.place / shape.name
        tokenizer().save_pretrained(start)
        shape.config().save_pretrained(start)
        cases = [
            _Cases(bench, shape, load, model, start, rate)
            for load in (SMALL if bench.small else FULL)
        ]
        for one in cases:
            one.run_ours()
        for one in cases:
            one.run_others()
        del model, cases


@dataclass(frozen=True)
class _Cases:
    bench: Bench
    shape: Shape
    load: Load
    model: Any
    start: Path
    rate: float  # operations a second at most

    @property
    def _half(self) -> bool:
        return self.shape in (HALF, TINY_HALF)

    def _rows(self) -> list[Row]:
        return rows(self.load.steps * self.load.rows_a_step + 8, self.load.tokens)

    def run_ours(self) -> None:
        """Our packing; of the smaller model in every way."""
        given = self._rows()
        for way in WAYS if self._half else WAYS[:-1]:
            self._guarded(f"ours, {way}", lambda name, way=way: self._ours(name, given, way, True))

    def run_others(self) -> None:
        """TRL's packing, and ours without."""
        given = self._rows()
        self._guarded("TRL, packed", lambda name: self._trl(name, given, self.load.sequences))
        if self._half:
            # A flat sequence costs the square of its length, a short one idles the card.
            quarter = max(1, self.load.sequences // 4)
            self._guarded(
                "TRL, packed, a quarter a pass", lambda name: self._trl(name, given, quarter)
            )
            self._guarded("ours, unpacked", lambda name: self._ours(name, given, "mask", False))

    def _name(self, case: str) -> str:
        return f"{self.shape.name}, rows of {self.load.tokens}, {case}"

    def _guarded(self, case: str, work: Callable[[str], None]) -> None:
        name = self._name(case)
        try:
            work(name)
        except Exception as error:
            self.bench.failed(name, error)
        reset_peak()

    def _ours(self, name: str, given: list[Row], way: Way, packing: bool) -> None:
        size = self.load.sequences if packing else self.load.rows_a_step
        of = job(
            self.bench,
            self.start,
            given,
            f"{self.load.tokens}-{packing}",
            max_length=self.load.longest,
            batch_size=size,
            packing=packing,
            micro=size,
        )
        from tasks.finetune.varlen_attention import VARLEN_ATTENTION

        made = ours(of, self.model, self.load.steps)
        put(made.trainer, way)
        differences: dict[str, float] = {}
        examples = [made.trainer.train_dataset[i] for i in range(min(2, made.sequences))]
        if packing and self._half:
            # In memory of the card, where training moves it to; the kernel takes no float32.
            made.trainer.plain_model.to(self.bench.device)
            for half in (False, True) if chosen(made.trainer) != VARLEN_ATTENTION else (True,):
                found = against_rows(made.trainer, examples, half)
                kind = "bfloat16" if half else "float32"
                differences[f"loss_difference_{kind}"] = found.loss
                differences[f"token_difference_{kind}"] = found.token
        speed = timed(self.bench, made.trainer, count_ours)
        fill = made.fill(self.load.longest) if packing else 1.0
        self._line(name, speed, fill=fill, **differences)

    def _trl(self, name: str, given: list[Row], micro: int) -> None:
        trainer = _plain(self, given, micro)
        speed = timed(self.bench, trainer, lambda batch: int(batch["input_ids"].numel()))
        self._line(name, speed, micro=micro)

    def _line(self, name: str, speed: Speed, **more: float) -> None:
        self.bench.line(
            name,
            tokens_a_second=speed.rate,
            step_seconds=list(speed.steps),
            flops_share=speed.rate * self._flops_a_token() / self.rate,
            peak_gb=None if speed.peak is None else speed.peak - self._kept(),
            loss=speed.loss,
            tokens=speed.tokens,
            **more,
        )

    def _kept(self) -> float:
        """Gigabytes of the model that copies are made of, which no trainer has."""
        return sum(one.numel() * one.element_size() for one in self.model.parameters()) / 1e9

    def _flops_a_token(self) -> float:
        """Of the model, forward and backward, as if nothing were computed twice or left out."""
        shape = self.shape
        head = shape.hidden // shape.heads
        attention = shape.hidden * (2 * shape.hidden + 2 * shape.shared * head)
        weights = shape.layers * (attention + 3 * shape.hidden * shape.inner)
        weights += shape.hidden * shape.vocabulary
        # Each token meets half of its row, in queries by keys and weights by values.
        return 6 * weights + 6 * shape.layers * shape.hidden * self.load.tokens


def _plain(cases: _Cases, given: list[Row], micro: int) -> Any:
    """TRL's SFTTrainer with packing, its costly defaults off, its rows the same."""
    import copy

    import datasets
    from transformers import AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

    from tasks.finetune.trainer import CHECKPOINTING_PARAMETERS

    datasets.disable_progress_bars()
    load, bench = cases.load, cases.bench
    columns = {name: [row[name] for row in given] for name in ("prompt", "completion")}
    model = copy.deepcopy(cases.model)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(bench.place / "trl"),
            max_steps=load.steps,
            packing=True,
            max_length=load.longest,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=max(1, load.sequences // micro),
            gradient_checkpointing=model.num_parameters() >= CHECKPOINTING_PARAMETERS,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="cosine",
            seed=SEED,
            use_cpu=bench.device == "cpu",
            bf16=bench.device == "cuda",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=datasets.Dataset.from_dict(columns),
        processing_class=AutoTokenizer.from_pretrained(cases.start),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
