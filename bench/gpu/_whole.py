"""Step `validation`: a whole fine-tune with checks of the validation reward, as a run does it."""

from __future__ import annotations

import time

from bench.gpu._models import HALF, TINY_HALF, save, texts
from bench.gpu._record import Bench, peak_gigabytes, reset_peak
from bench.gpu._training import job, rows
from tasks.processes.wire import Message

CHECKS = 2


def validation(bench: Bench) -> None:
    """Seconds of each part, peak memory before and after the first check, what was answered."""
    from tasks.finetune.trainer import train

    shape = TINY_HALF if bench.small else HALF
    began = time.perf_counter()
    start = save(
        shape.config(),
        bench.place / "start",
        bench.device,
        "float32" if bench.small else "bfloat16",
    )
    made = time.perf_counter() - began
    longest, size, steps = (128, 2, 4) if bench.small else (1024, 16, 6)
    tokens = 40 if bench.small else 130
    given = rows(steps * size * longest // tokens, tokens)
    of = job(
        bench, start, given, "job", max_length=longest, batch_size=size, checks=CHECKS, micro=size
    )
    of["validation"] = {
        "prompts": texts(4 if bench.small else 128, tokens // 2),
        "max_tokens": 8 if bench.small else 128,
        "stop": [],
        "batch_size": 256,
    }
    peaks: list[float | None] = []
    asked: list[int] = []

    def answer(question: Message) -> Message:
        peaks.append(peak_gigabytes())
        asked.append(len(question["score"]))
        since = time.perf_counter() - began
        bench.line(
            f"check {len(asked)}",
            seconds_since_start=since,
            peak_gb=peaks[-1],
            reserved_gb=_reserved_gigabytes(),
        )
        return {"rewards": [float(len(text) % 2) for text in question["score"]]}

    reset_peak()
    began = time.perf_counter()
    facts = train(of, answer, lambda done, total: _note(peaks, done))
    bench.line(
        shape.name,
        seconds=time.perf_counter() - began,
        start_made_in=made,
        parts=facts["seconds"],
        steps=facts["steps"],
        tokens=facts["tokens"],
        checks=len(asked),
        solved_a_check=asked[0] if asked else 0,
        best_step=facts["best_step"],
        peak_gb_of_training=peaks[0],
        peak_gb=peak_gigabytes(),
    )


def _reserved_gigabytes() -> float | None:
    """Memory that PyTorch has taken of the card, used or not; None on a CPU."""
    import torch

    return torch.cuda.memory_reserved() / 1e9 if torch.cuda.is_available() else None


def _note(peaks: list[float | None], done: int) -> None:
    """The peak of the first step, which no check has part in."""
    if not peaks and done == 1:
        peaks.append(peak_gigabytes())
