"""The baselines of `restem bench generate`, and the ledger of what each way of sampling did."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tasks.dag.runtime import home
from tasks.decoding.request import Sampling
from tasks.errors import StepError
from tasks.generate.engine import vllm_variables
from tasks.generate.vllm_engine import ENVIRONMENT, POSITIONS_STEP

SAMPLING_BATCH = 64
CACHE_GB = 2.0
_STRAIGHT = """
import json, sys
from vllm import LLM, SamplingParams
task = json.load(open(sys.argv[1]))
llm = LLM(model=task["model"], dtype="float32", max_num_seqs=task["batch"], seed=0,
          max_model_len=task["positions"], enable_prefix_caching=True, enforce_eager=True,
          enable_chunked_prefill=False, max_num_batched_tokens=max(4096, task["positions"]),
          kv_cache_memory_bytes=task["cache"])
for line in sys.stdin:
    prompts, params = [], []
    for prompt, seed in json.loads(line):
        prompts.append(task["prompts"][prompt])
        params.append(SamplingParams(seed=seed, **task["sampling"]))
    outputs = llm.generate(prompts, params, use_tqdm=False)
    print("RESULT", sum(len(o.outputs[0].token_ids) for o in outputs), flush=True)
"""


@dataclass
class Ledger:
    """What one way of sampling has done so far."""

    name: str
    samples: int = 0
    tokens: int = 0
    seconds: float = 0.0
    processor: float = 0.0
    speeds: list[float] = field(default_factory=list)  # tokens a second of each turn

    @property
    def speed(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds

    @property
    def thrift(self) -> float:
        """Tokens a second of processor time."""
        return self.tokens / self.processor

    def time(self, way: Callable[[], tuple[int, int]]) -> None:
        """Run one turn, which returns samples and tokens, and print it."""
        burnt, start = _processor_seconds(), time.perf_counter()
        samples, tokens = way()
        seconds, burnt = time.perf_counter() - start, _processor_seconds() - burnt
        self.samples += samples
        self.tokens += tokens
        self.seconds += seconds
        self.processor += burnt
        self.speeds.append(tokens / seconds)
        print(
            f"{self.name:22} {samples} samples, {tokens} tokens: {seconds:.1f} s "
            f"({burnt:.1f} s of processor), {samples / seconds:.2f} samples/s, "
            f"{tokens / seconds:.0f} tokens/s",
            flush=True,
        )


def _processor_seconds() -> float:
    """Processor time of all processes below this one; only one works at a time."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(t.user + t.system for t in times)


# Fields of Sampling that vLLM has under the same names.
_TOLD = ("temperature", "top_k", "top_p", "max_tokens", "stop")


class Straight:
    """`LLM.generate` in a process with nothing of ours."""

    def __init__(
        self, python: Path, scratch: Path, model: Path, prompts: list[str], sampling: Sampling
    ) -> None:
        said = sampling.to_json()
        task = {
            "model": str(model.resolve()),
            "prompts": prompts,
            # What is of chats alone is left out.
            "sampling": {name: said[name] for name in _TOLD},
            "batch": SAMPLING_BATCH,
            "positions": POSITIONS_STEP,
            "cache": int(CACHE_GB * 2**30),
        }
        path = scratch / "task.json"
        path.write_text(json.dumps(task), encoding="utf-8")
        self._log = scratch / "straight.log"
        variables = {**ENVIRONMENT, **vllm_variables(home(), os.cpu_count() or 1)}
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(python), "-c", _STRAIGHT, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **variables},
                encoding="utf-8",
            )

    def sample(self, requests: list[tuple[int, int]]) -> tuple[int, int]:
        """Sample pairs of an index into the prompts and a seed; count samples and tokens."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps(requests), file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("RESULT"):
                return len(requests), int(line.split()[1])
        raise StepError(f"LLM.generate failed: {self._log.read_text(encoding='utf-8')[-500:]}")

    def __enter__(self) -> Straight:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class Plain:
    """transformers' own `generate`, in padded batches: what most scripts sample with."""

    def __init__(self, model: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(os.cpu_count() or 1)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(model, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

    def sample(
        self, prompts: list[str], requests: list[tuple[int, int]], sampling: Sampling
    ) -> tuple[int, int]:
        """Sample in batches of SAMPLING_BATCH; one seed for each, as it has no more."""
        import torch

        tokens = 0
        for first in range(0, len(requests), SAMPLING_BATCH):
            part = requests[first : first + SAMPLING_BATCH]
            batch = self._tokenizer(
                [prompts[i] for i, _ in part], return_tensors="pt", padding=True
            )
            torch.manual_seed(part[0][1])
            with torch.inference_mode():
                found = self._model.generate(
                    **batch,
                    do_sample=True,
                    temperature=sampling.temperature,
                    top_k=sampling.top_k,
                    max_new_tokens=sampling.max_tokens,
                    stop_strings=list(sampling.stop) or None,
                    tokenizer=self._tokenizer,
                    pad_token_id=self._tokenizer.pad_token_id,
                )
            new = found[:, batch["input_ids"].shape[1] :]
            tokens += int((new != self._tokenizer.pad_token_id).sum())
        return len(requests), tokens
