"""The vLLM engine: a script that runs under the Python of vLLM's own environment.

vLLM's pins clash with Prefect's, so nothing of this project is imported but the wire, by its path.
The same file serves CUDA and the CPU build. A request is one prompt with one sample and a seed of
its own, so that samples do not depend on what they are batched with; prefix caching computes what
prompts share once. Floating-point noise still depends on the batch, as in every engine.

The engine is made at the first request, long enough for it. If a later one is longer the answer is
{"restart": positions}: the parent starts a fresh child, because vLLM cannot be made twice in one
process.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Positions are made in blocks of this size, so that most requests fit into the first engine.
POSITIONS_STEP = 1024
PROGRESS_SECONDS = 0.2
ENVIRONMENT = {
    # In one process: nothing to orphan, and a third less time to start.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    # The model is a local folder; without this a missing file is looked for on the network.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}

Message = dict[str, Any]


class UserError(Exception):
    """The user's mistake; the parent knows it by this name."""


class Engine:
    """One vLLM `LLM` and its tokenizer."""

    def __init__(self, request: Message, positions: int) -> None:
        """Load the model of the first request.

        Args:
            request: See `serve_request`.
            positions: Longest prompt and completion together, in tokens.
        """
        from vllm import LLM
        from vllm.platforms import current_platform

        on_cpu = current_platform.is_cpu()
        options: Message = {"gpu_memory_utilization": request["memory_fraction"]}
        if on_cpu:
            options = {
                "kv_cache_memory_bytes": int(request["cpu_cache_gb"] * 2**30),
                # On CPU, a prompt cut into chunks crashes the sampler where requests have seeds.
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(positions, 4096),
                # Compiling needs a C++ compiler and longer than it saves: a policy is sampled for
                # minutes, and compiled code is at most a tenth faster on CPU.
                "enforce_eager": True,
            }
        self.positions = positions
        self.llm = LLM(
            model=request["model"],
            dtype=request["dtype"],
            max_model_len=positions,
            max_num_seqs=request["batch_size"],
            enable_prefix_caching=True,
            seed=0,
            **options,
        )

    def sample(
        self, prompts: list[list[int]], requests: list[list[int]], sampling: Message, bar: Any
    ) -> list[list[Any]]:
        """Complete prompts; returns [text, tokens, finish] for each request.

        Args:
            prompts: Token ids.
            requests: Pairs of an index into `prompts` and a seed.
            sampling: Fields of tasks.sampling.Sampling.
            bar: Stands in for tqdm, or False.
        """
        from vllm import SamplingParams

        greedy = sampling["temperature"] == 0
        common: Message = {
            "temperature": sampling["temperature"],
            "max_tokens": sampling["max_tokens"],
            "stop": sampling["stop"],
            "skip_special_tokens": True,
        }
        if not greedy:
            common |= {"top_k": sampling["top_k"], "top_p": sampling["top_p"]}
        outputs = self.llm.generate(
            [{"prompt_token_ids": prompts[prompt]} for prompt, _ in requests],
            [SamplingParams(**common, seed=None if greedy else seed) for _, seed in requests],
            use_tqdm=bar,
        )
        rows = []
        for output in outputs:
            first = output.outputs[0]
            if first.finish_reason not in ("stop", "length"):
                raise RuntimeError(f"vLLM ended a request with {first.finish_reason!r}")
            rows.append([first.text, len(first.token_ids), first.finish_reason])
        return rows


class Bar:
    """What vLLM takes for a tqdm bar: tells the parent how many requests are done."""

    def __init__(
        self, wire: Any, items: Any = (), total: int = 0, desc: str = "", **_: Any
    ) -> None:
        # vLLM first wraps the prompts in a bar, then counts finished requests with another.
        self._wire = wire if desc.startswith("Processed") else None
        self._items = items
        self._start = self._told = time.monotonic()
        self._total = total
        self.n = 0
        self.postfix = ""

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    @property
    def format_dict(self) -> dict[str, float]:
        """VLLM divides by this for the speed it would show."""
        return {"elapsed": max(time.monotonic() - self._start, 1e-6)}

    def update(self, count: int = 1) -> None:
        """Count finished requests."""
        self.n += count
        now = time.monotonic()
        if self._wire and (now - self._told >= PROGRESS_SECONDS or self.n == self._total):
            self._told = now
            self._wire.progress(self.n, self._total)

    def refresh(self) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Serve requests; the wire's descriptors are the last two arguments."""
    os.environ.update(ENVIRONMENT)
    wire_module = _load_wire()
    state: dict[str, Any] = {}

    def handle(request: Message, wire: Any) -> Message:
        return serve_request(request, wire, state)

    wire_module.serve(wire_module.wire_from_argv(sys.argv), handle)


def serve_request(request: Message, wire: Any, state: dict[str, Any]) -> Message:
    """Answer one request.

    Args:
        request: model, dtype, batch_size, memory_fraction, cpu_cache_gb, prompts, requests,
            sampling, and positions: 0, or what an earlier child asked for.
        wire: Progress goes here.
        state: Kept between requests: the engine and the tokenizer.

    Returns:
        {"completions": [...]}, or {"restart": positions}.
    """
    if "tokenizer" not in state:
        from transformers import AutoTokenizer

        state["tokenizer"] = AutoTokenizer.from_pretrained(request["model"])
        state["limit"] = _limit(request["model"])
    prompts = state["tokenizer"](request["prompts"])["input_ids"]
    needed = max(map(len, prompts)) + request["sampling"]["max_tokens"]
    if state["limit"] and needed > state["limit"]:
        raise UserError(
            f"sampling.max_tokens: a prompt and its completion need {needed} positions, but the "
            f"model has {state['limit']}"
        )
    if "engine" not in state:
        positions = max(-(-needed // POSITIONS_STEP) * POSITIONS_STEP, request["positions"])
        state["engine"] = Engine(request, min(positions, state["limit"] or positions))
    engine = state["engine"]
    if needed > engine.positions:
        return {"restart": -(-needed // POSITIONS_STEP) * POSITIONS_STEP}

    def bar(*args: Any, **kwargs: Any) -> Bar:
        return Bar(wire, *args, **kwargs)

    rows = engine.sample(prompts, request["requests"], request["sampling"], bar)
    return {"completions": rows}


def _limit(model: str) -> int:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model).get_text_config()
    return getattr(config, "max_position_embeddings", 0)


def _load_wire() -> Any:
    """The module tasks/wire.py, which imports the standard library alone."""
    path = Path(__file__).resolve().parent.parent / "wire.py"
    spec = importlib.util.spec_from_file_location("restem_wire", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
