"""The transformers engine: runs everywhere, and is the fast one for very small models.

Used in process (`TransformersEngine`) or as a child process (`main`). The decoding itself is in
tasks/decoding/decode.py, which the validation during fine-tuning shares.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tasks.decoding.request import Completion, Completions, SampleProgress, Sampling, Weights
from tasks.decoding.tokens import Prompt
from tasks.processes.cores import usable_cores
from tasks.processes.wire import Message, Wire, answer_requests


class TransformersEngine:
    """A causal model on one device."""

    def __init__(
        self, model_dir: Path, *, device: str, dtype: str, threads: int, batch_size: int
    ) -> None:
        """Load a model.

        Args:
            model_dir: Folder with configuration, tokenizer and safetensors.
            device: `auto`, `cpu` or `cuda`.
            dtype: `float32`, `bfloat16` or `float16`.
            threads: CPU threads; 0: all cores it may use.
            batch_size: Most sequences decoded at once.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(threads or usable_cores())
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._tokenizer = AutoTokenizer.from_pretrained(model_dir, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            model_dir, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=False
        )
        self._model = model.to(device).eval()
        self._batch_size = batch_size

    def sample(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None = None,
        finished: Callable[[int, Completion], None] | None = None,
    ) -> Completions:
        """See tasks.decoding.decode.decode."""
        began = time.perf_counter()
        found = Completions(self._decode(prompts, requests, sampling, progress, finished))
        found.engine_seconds = time.perf_counter() - began
        return found

    def _decode(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None,
        finished: Callable[[int, Completion], None] | None,
    ) -> list[Completion]:
        from tasks.decoding.decode import decode

        return decode(
            self._model,
            self._tokenizer,
            prompts,
            requests,
            sampling,
            batch_size=self._batch_size,
            progress=progress,
            finished=finished,
        )

    def choose(
        self,
        prompts: Sequence[Prompt],
        choices: Sequence[str],
        progress: SampleProgress | None = None,
    ) -> Weights:
        """See tasks.decoding.choose.choose."""
        from tasks.decoding.choose import choose

        began = time.perf_counter()
        found = choose(
            self._model,
            self._tokenizer,
            prompts,
            choices,
            batch_size=self._batch_size,
            progress=progress,
        )
        weights = Weights(found)
        weights.engine_seconds = time.perf_counter() - began
        return weights

    def close(self) -> None:
        """Free the model."""
        del self._model


def main(wire: Wire) -> None:
    """Serve requests of tasks.generate.engine; the model is loaded at the first one."""
    engines: dict[str, TransformersEngine] = {}

    def handle(request: Message, wire: Wire) -> Message:
        model = request["model"]
        if model not in engines:
            engines.clear()
            engines[model] = TransformersEngine(
                Path(model),
                device=request["device"],
                dtype=request["dtype"],
                threads=request["threads"],
                batch_size=request["batch_size"],
            )
        engine, prompts = engines[model], request["prompts"]
        total = len(request["requests"])
        wire.progress(0, total)  # loaded
        items: list[list[object]] = []

        def progress(done: int, _total: int) -> None:
            # What is finished goes at once: if this process ends, it is not sampled again.
            wire.write({"progress": [done, total], "items": items})
            items.clear()

        if "choices" in request:
            asked = [prompts[prompt] for prompt, _ in request["requests"]]
            weights = engine.choose(asked, request["choices"], wire.progress)
            # All at once: what is asked again after a death is computed in the same batches, and
            # so has the same last bits.
            items += [[i, values] for i, values in enumerate(weights)]
            progress(total, total)
            return {"engine_seconds": weights.engine_seconds}
        completions = engine.sample(
            prompts,
            [(prompt, seed) for prompt, seed in request["requests"]],
            Sampling.from_json(request["sampling"]),
            progress,
            lambda i, c: items.append([i, c.text, c.tokens, c.finish, list(c.ids or ())]),
        )
        progress(total, total)
        return {"engine_seconds": completions.engine_seconds}

    answer_requests(wire, handle)
