"""Steps `equal` and `batches`: does the card compute what a CPU does, whatever the batch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bench.gpu._models import VOCABULARY, make, texts, tiny, tokenizer
from bench.gpu._record import Bench

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

KINDS = ("Qwen2", "Llama 3", "Gemma 3")
BATCHES = (1, 7, 256)


def equal(bench: Bench) -> None:
    """Greedy texts of card and CPU in float32; bfloat16 against it, teacher-forced."""
    for kind in KINDS:
        try:
            _equal(bench, kind)
        except Exception as error:
            bench.failed(kind, error)


def _equal(bench: Bench, kind: str) -> None:
    import torch

    from tasks.decoding.decode import decode
    from tasks.decoding.request import Sampling

    at_cpu: Any = make(tiny(kind, not bench.small), "cpu")
    at_card: Any = copy.deepcopy(at_cpu).to(bench.device)
    prompts = texts(8 if bench.small else 32, 60)
    requests = [(i, 0) for i in range(len(prompts))]
    sampling = Sampling(temperature=0.0, max_tokens=16 if bench.small else 64)
    found = [
        decode(model, tokenizer(), prompts, requests, sampling, batch_size=32)
        for model in (at_cpu, at_card)
    ]
    same = sum(a.text == b.text for a, b in zip(*found, strict=True))
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(3, VOCABULARY, (4 if bench.small else 16, 128), generator=draw)
    exact = _logits(at_cpu, ids)
    full = _logits(at_card, ids)
    half = _logits(at_card.to(torch.bfloat16), ids)
    bench.line(
        kind,
        texts=len(prompts),
        greedy_equal=same / len(prompts),
        float32_logit_difference=float((exact - full).abs().max()),
        bfloat16_logit_difference=float((full - half).abs().max()),
        bfloat16_equal_argmax=float((full.argmax(-1) == half.argmax(-1)).float().mean()),
        logit_deviation=float(full.std()),
    )


def _logits(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    import torch

    with torch.no_grad():
        return model(input_ids=ids.to(model.device), use_cache=False).logits.float().cpu()


def batches(bench: Bench) -> None:
    """The same seeds one by one, in sevens and all at once."""
    import torch

    from tasks.decoding.decode import decode
    from tasks.decoding.request import Sampling

    counts = dict(zip(BATCHES, (4, 14, 32) if bench.small else (16, 49, 256), strict=True))
    prompts = texts(16, 60)
    sampling = Sampling(temperature=0.7, top_k=40, max_tokens=8 if bench.small else 64)
    model = make(tiny("Qwen2", not bench.small), bench.device)
    for name in ("float32", "bfloat16"):
        model = model.to(getattr(torch, name))
        requests = [(i % len(prompts), 1000 + i) for i in range(max(counts.values()))]
        found = {
            size: decode(model, tokenizer(), prompts, requests[:count], sampling, batch_size=size)
            for size, count in counts.items()
        }
        whole = found[max(BATCHES)]
        again = decode(model, tokenizer(), prompts, requests, sampling, batch_size=max(BATCHES))
        bench.line(
            name,
            **{
                f"equal_in_batches_of_{size}": sum(
                    a.text == b.text for a, b in zip(found[size], whole, strict=False)
                )
                / len(found[size])
                for size in BATCHES[:-1]
            },
            equal_again=sum(a.text == b.text for a, b in zip(again, whole, strict=True))
            / len(whole),
            tokens=sum(one.tokens for one in whole),
        )
