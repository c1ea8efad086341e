"""Step `sample`: our engine's loop against transformers' `generate`, a 0.5B model, bfloat16.

Two cases. In the first all completions are equally long. In the second one token in so many ends a
completion, so that lengths differ as those of solutions do: `generate` keeps the ended rows to the
end of its batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.gpu._models import HALF, TINY_HALF, make, texts, tokenizer
from bench.gpu._record import Bench, peak_gigabytes, reset_peak, wait_for
from tasks.decoding.request import Sampling
from tasks.decoding.shapes import Shapes

TEMPERATURE, TOP_K = 0.7, 40


@dataclass(frozen=True)
class Load:
    """What is sampled: so many prompts, samples of each, tokens at most, rows at once."""

    prompts: int
    samples: int
    tokens: int
    batch: int
    turns: int


FULL = Load(prompts=64, samples=8, tokens=128, batch=256, turns=2)
# All rows at once and then fewer and fewer, which is where sizes change.
SIZES = Load(prompts=32, samples=8, tokens=128, batch=256, turns=2)
SMALL = Load(prompts=4, samples=4, tokens=12, batch=8, turns=1)


def sample(bench: Bench) -> None:
    """Tokens a second and peak memory of both, in turns."""
    load = SMALL if bench.small else FULL
    shape = TINY_HALF if bench.small else HALF
    model: Any = make(shape.config(), bench.device, "float32" if bench.small else "bfloat16")
    prompts = texts(load.prompts, 130 if not bench.small else 24)
    # One in so many, so that half a completion is drawn on average.
    every = load.tokens // 2
    ends = tuple(range(2, shape.vocabulary, every))
    cases = {"lengths that differ": ends, "equal lengths": ()}
    warm = Load(prompts=4, samples=2, tokens=4, batch=load.batch, turns=1)
    for case, ending in cases.items():
        ways: dict[str, Callable[[Load], int]] = {
            "ours": lambda of, ending=ending: _ours(model, prompts, of, ending),
            "generate": lambda of, ending=ending: _generate(model, prompts, of, ending),
        }
        for way in ways.values():
            way(warm)
        for turn in range(load.turns):
            # The second turn the other way round, so that a drift favours none.
            for name, way in list(ways.items())[:: -1 if turn % 2 else 1]:
                reset_peak()
                wait_for(bench.device)
                began = time.perf_counter()
                tokens = way(load)
                wait_for(bench.device)
                seconds = time.perf_counter() - began
                bench.line(
                    f"{shape.name}, {case}, {name}",
                    tokens_a_second=tokens / seconds,
                    tokens=tokens,
                    seconds=seconds,
                    peak_gb=peak_gigabytes(),
                )


def shapes(bench: Bench) -> None:
    """What sizes of the batch cost where lengths differ: few or exact ones, with cuDNN or without.

    Each way is run twice: the first time its sizes are new, and the second time few are again.
    """
    import torch

    from tasks.decoding.shapes import EXACT, FEW

    load = SMALL if bench.small else SIZES
    shape = TINY_HALF if bench.small else HALF
    model: Any = make(shape.config(), bench.device, "float32" if bench.small else "bfloat16")
    prompts = texts(load.prompts, 130 if not bench.small else 24)
    ends = tuple(range(2, shape.vocabulary, load.tokens // 2))
    _ours(model, prompts, Load(prompts=4, samples=2, tokens=4, batch=load.batch, turns=1), ends)
    for library in (True, False):
        torch.backends.cuda.enable_cudnn_sdp(library)
        for name, sizes in (("few sizes", FEW), ("exact sizes", EXACT)):
            for turn in range(load.turns):
                wait_for(bench.device)
                began = time.perf_counter()
                tokens = _ours(model, prompts, load, ends, sizes)
                wait_for(bench.device)
                seconds = time.perf_counter() - began
                bench.line(
                    f"{name}, {'with' if library else 'without'} cuDNN, turn {turn + 1}",
                    tokens_a_second=tokens / seconds,
                    tokens=tokens,
                    seconds=seconds,
                )


def _ours(
    model: Any,
    prompts: list[str],
    load: Load,
    ends: tuple[int, ...],
    sizes: Shapes | None = None,
) -> int:
    from tasks.decoding.decode import decode

    sampling = Sampling(temperature=TEMPERATURE, top_k=TOP_K, max_tokens=load.tokens, ends=ends)
    requests = [(i, i * load.samples + j) for i in range(load.prompts) for j in range(load.samples)]
    found = decode(
        model, tokenizer(), prompts, requests, sampling, batch_size=load.batch, shapes=sizes
    )
    return sum(one.tokens for one in found)


def _generate(model: Any, prompts: list[str], load: Load, ends: tuple[int, ...]) -> int:
    import torch

    reader = tokenizer()
    reader.padding_side = "left"
    at_once = max(1, load.batch // load.samples)
    # Prompts of like length together, which spares it padding.
    asked = sorted(prompts[: load.prompts], key=len)
    ending = torch.tensor([2, *ends], device=model.device)
    tokens = 0
    for first in range(0, len(asked), at_once):
        given = reader(asked[first : first + at_once], padding=True, return_tensors="pt")
        with torch.inference_mode():
            made = model.generate(
                input_ids=given["input_ids"].to(model.device),
                attention_mask=given["attention_mask"].to(model.device),
                do_sample=True,
                temperature=TEMPERATURE,
                top_k=TOP_K,
                top_p=1.0,
                max_new_tokens=load.tokens,
                num_return_sequences=load.samples,
                eos_token_id=ending.tolist(),
                pad_token_id=0,
            )
        drawn = made[:, given["input_ids"].shape[1] :]
        ended = torch.isin(drawn, ending).int()
        # Up to the first end, it included.
        tokens += int((ended.cumsum(1) - ended == 0).sum())
    return tokens
