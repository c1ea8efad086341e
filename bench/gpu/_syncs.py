"""Step `syncs`: how often one optimiser step waits for the card, by the way rows are kept apart."""

from __future__ import annotations

import collections
import warnings
from pathlib import Path
from typing import Any

from bench.gpu._models import DEEP, TINY_DEEP, make, tokenizer
from bench.gpu._record import Bench, reset_peak
from bench.gpu._training import job, ours, rows
from bench.gpu._ways import Way, put

# The third step is looked at: kernels are chosen by then.
STEPS, WATCHED = 3, 2
# Calls of the driver, by the part of a name that they share.
CALLS = ("Synchronize", "cudaMemcpy", "LaunchKernel")
MOST_PLACES = 5


def syncs(bench: Bench) -> None:
    """Waits that PyTorch warns of and where they are, and the calls that a profiler sees."""
    shape = TINY_DEEP if bench.small else DEEP
    start = bench.place / "start"
    tokenizer().save_pretrained(start)
    shape.config().save_pretrained(start)
    model = make(shape.config(), bench.device)
    ways: list[tuple[str, Way, bool]] = [
        ("packed, as made", "as made", True),
        ("packed, mask", "mask", True),
        ("packed, by row", "by row", True),
        ("unpacked", "mask", False),
    ]
    longest = 128 if bench.small else 1024
    tokens = 40 if bench.small else 130
    for name, way, packing in ways:
        size = 2 if packing else 2 * longest // tokens
        of = job(
            bench,
            start,
            rows(STEPS * 2 * longest // tokens + 8, tokens),
            name.replace(", ", "-").replace(" ", "-"),
            max_length=longest,
            batch_size=size,
            packing=packing,
            micro=size,
        )
        try:
            made = ours(of, model, STEPS)
            put(made.trainer, way)
            bench.line(name, layers=shape.layers, **_watched(bench, made.trainer))
        except Exception as error:
            bench.failed(name, error)
        reset_peak()


def _watched(bench: Bench, trainer: Any) -> dict[str, Any]:
    import torch
    from torch.profiler import ProfilerActivity, profile
    from transformers import TrainerCallback

    cuda = bench.device == "cuda"
    places: collections.Counter[str] = collections.Counter()
    calls: dict[str, int] = {}
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    profiler = profile(activities=kinds)
    recorder = warnings.catch_warnings(record=True)
    seen: list[warnings.WarningMessage] = []

    class Watch(TrainerCallback):
        """Warnings of one step, and the calls of the next."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == WATCHED - 1:
                self.caught = recorder.__enter__()
                warnings.simplefilter("always")
                if cuda:
                    torch.cuda.set_sync_debug_mode("warn")
            elif state.global_step == WATCHED:
                profiler.start()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == WATCHED:
                if cuda:
                    torch.cuda.set_sync_debug_mode("default")
                seen.extend(self.caught or [])
                recorder.__exit__(None, None, None)
            elif state.global_step == WATCHED + 1:
                if cuda:
                    torch.cuda.synchronize()
                profiler.stop()

    trainer.add_callback(Watch())
    trainer.train()
    for one in seen:
        if "synchroniz" in str(one.message):
            places[f"{Path(one.filename).name}:{one.lineno}"] += 1
    for event in profiler.events() or []:
        for call in CALLS:
            if call in event.name:
                calls[event.name] = calls.get(event.name, 0) + 1
    waits = sum(count for name, count in calls.items() if "Synchronize" in name)
    return {
        "warned_syncs": sum(places.values()) if cuda else None,
        "warned_at": [f"{place} {count}" for place, count in places.most_common(MOST_PLACES)],
        "calls_that_wait": waits if cuda else None,
        "calls": calls,
    }
