"""One interface to sampling engines; each runs in child processes that die with their parent.

A request is one JSON message a shard: prompts, (prompt, seed) pairs and sampling settings. The
child is started at the first request, and loads the model then, so an engine that is opened but
never asked costs nothing.

A very small model gains little from a second thread in each of its tiny operations, so the
transformers engine runs it in several single-threaded children and deals the prompts out to them.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from tasks.errors import UserError
from tasks.generate.environment import folder_of, python_of
from tasks.sampling import Completion, Progress, Sampling
from tasks.settings import Resources
from tasks.stage import Child, close_nursery
from tasks.wire import Message

VLLM_SCRIPT = Path(__file__).with_name("vllm_engine.py")
# Weights of a model that is run in several children: below, a step is mostly fixed costs.
SMALL_MODEL_BYTES = 32 * 2**20
# A further child takes seconds to start; it must have samples to make up for that.
SAMPLES_A_REPLICA = 256
MAX_REPLICAS = 8


class Engine(Protocol):
    """Samples completions from one model."""

    def sample(
        self,
        prompts: Sequence[str],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: Progress | None = None,
    ) -> list[Completion]:
        """Sample one completion for each (index into prompts, seed), in that order.

        Raises:
            UserError: the prompts or settings do not fit the model.
            StepError: the engine failed; the message names its log.
        """
        ...

    def close(self) -> None:
        """End the engine's processes."""
        ...


def open_engine(
    name: str, model_dir: Path, *, resources: Resources, dtype: str, log: Path, home: Path
) -> Engine:
    """Open an engine; nothing is started before the first request.

    Args:
        name: `transformers` or `vllm`.
        model_dir: Folder with configuration, tokenizer and safetensors.
        resources: Device, threads, batch size, memory.
        dtype: Number format of weights and activations.
        log: File for the output of the children.
        home: RESTEM_HOME, where vLLM's environment lies.

    Raises:
        UserError: there is no such engine, or vLLM's environment is missing.
    """
    threads = resources.threads or os.cpu_count() or 1
    common: Message = {
        "model": str(model_dir.resolve()),
        "dtype": dtype,
        "batch_size": resources.batch_size,
    }
    if name == "vllm":
        python = python_of(home)
        env = vllm_variables(home, threads)
        if resources.device == "cpu":
            env["CUDA_VISIBLE_DEVICES"] = ""
        return ChildEngine(
            lambda: Child.script(python, VLLM_SCRIPT, log=log, env=env),
            {
                **common,
                "memory_fraction": resources.memory_fraction,
                "cpu_cache_gb": resources.cpu_cache_gb,
            },
        )
    if name != "transformers":
        raise UserError(f"sampling.engine: {name!r} is none of: transformers, vllm")
    replicas = 1
    if resources.device == "cpu" or (resources.device == "auto" and not _has_cuda()):
        weights = sum(file.stat().st_size for file in model_dir.glob("*.safetensors"))
        if 0 < weights < SMALL_MODEL_BYTES:
            replicas = min(threads, MAX_REPLICAS)
    return ChildEngine(
        lambda: Child.module("tasks.generate.transformers_engine:main", log=log),
        {
            **common,
            "device": resources.device,
            "threads": threads if replicas == 1 else 1,
        },
        replicas=replicas,
    )


def vllm_variables(home: Path, threads: int) -> dict[str, str]:
    """Environment variables of a process that runs vLLM."""
    return {
        # Threads that wait for each other would burn the time other processes need.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": str(threads),
        # Threads pinned to cores stand still when another process is on their core.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CACHE_ROOT": str(folder_of(home).parent / "cache"),
    }


class ChildEngine:
    """An engine in one or several equal children."""

    def __init__(self, start: Callable[[], Child], options: Message, *, replicas: int = 1) -> None:
        """Remember how to start.

        Args:
            start: Starts a child.
            options: Fields of every request.
            replicas: Most children.
        """
        self._start = start
        self._options = options
        self._replicas = replicas
        self._children: list[Child | None] = [None] * replicas
        self._positions = [0] * replicas

    def sample(
        self,
        prompts: Sequence[str],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: Progress | None = None,
    ) -> list[Completion]:
        """See `Engine`."""
        if not requests:
            return []
        parts = _deal(prompts, requests, self._replicas)
        counts = [0] * len(parts)
        lock = threading.Lock()

        def run(replica: int) -> list[Completion]:
            def advance(done: int, _total: int) -> None:
                with lock:
                    counts[replica] = done
                    if progress:
                        progress(sum(counts), len(requests))

            part = [requests[i] for i in parts[replica]]
            return self._ask(replica, prompts, part, sampling, advance)

        with ThreadPoolExecutor(len(parts)) as pool:
            # In a copy of this context, so that progress knows the task that it belongs to.
            futures = [
                pool.submit(contextvars.copy_context().run, run, replica)
                for replica in range(len(parts))
            ]
            try:
                answers = [future.result() for future in futures]
            except BaseException as error:
                # The threads that still wait must come back: at once where a person interrupted.
                if not isinstance(error, Exception):
                    close_nursery()
                self.close()
                raise
        completions: list[Completion | None] = [None] * len(requests)
        for part, answer in zip(parts, answers, strict=True):
            for i, completion in zip(part, answer, strict=True):
                completions[i] = completion
        return [completion for completion in completions if completion is not None]

    def close(self) -> None:
        """End the children."""
        children = list(self._children)
        self._children[:] = [None] * self._replicas
        for child in children:
            if child is not None:
                child.close()

    def _ask(
        self,
        replica: int,
        prompts: Sequence[str],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: Progress,
    ) -> list[Completion]:
        used = sorted({prompt for prompt, _ in requests})
        place = {prompt: i for i, prompt in enumerate(used)}
        request: Message = {
            **self._options,
            "prompts": [prompts[i] for i in used],
            "requests": [[place[prompt], seed] for prompt, seed in requests],
            "sampling": sampling.to_json(),
        }
        answer = self._call(replica, request, progress)
        if "restart" in answer:  # longer than the engine was made for
            child, self._children[replica] = self._children[replica], None
            if child is not None:
                child.close()
            self._positions[replica] = answer["restart"]
            answer = self._call(replica, request, progress)
        return [Completion(text, tokens, end) for text, tokens, end in answer["completions"]]

    def _call(self, replica: int, request: Message, progress: Progress) -> dict[str, Any]:
        child = self._children[replica]
        if child is None:
            child = self._children[replica] = self._start()
        return child.call({**request, "positions": self._positions[replica]}, on_progress=progress)


def _deal(
    prompts: Sequence[str], requests: Sequence[tuple[int, int]], replicas: int
) -> list[list[int]]:
    """Indices of requests for each replica: equal in work, all samples of a prompt together."""
    replicas = max(1, min(replicas, len(requests) // SAMPLES_A_REPLICA))
    used = sorted({prompt for prompt, _ in requests}, key=lambda i: (len(prompts[i]), i))
    home = {prompt: i % replicas for i, prompt in enumerate(used)}
    parts: list[list[int]] = [[] for _ in range(replicas)]
    for i, (prompt, _) in enumerate(requests):
        parts[home[prompt]].append(i)
    return [part for part in parts if part]


def _has_cuda() -> bool:
    """Whether a CUDA device is there, without importing torch."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists()
