"""The vLLM engine: a script that runs under the Python of vLLM's own environment.

vLLM's pins clash with Prefect's, so nothing of this project is imported but the wire and the rule
for prompts' tokens, by their paths. The same file serves CUDA and the CPU build. A request is one
prompt with one sample and a seed of its own, so that samples do not depend on what they are batched
with; prefix caching computes what prompts share once. Floating-point noise still depends on the
batch, as in every engine.

Shards are mixed: the next one fills the rows that the last long samples of one leave idle. The loop
around vLLM's steps is that of its own `LLM.generate`, with new requests taken in between.

The engine is made at the first request, long enough for it. If a later one is longer the answer is
{"restart": positions}: the parent starts a fresh child, because vLLM cannot be made twice in one
process.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from vllm import CompletionOutput, SamplingParams

    from tasks.processes.wire import Message, Wire

# Positions are made in blocks of this size, so that most requests fit into the first engine.
POSITIONS_STEP = 1024
POLICY = "policy"
# Finished samples, or a sign of life, go to the parent so often.
TELL_SECONDS = 0.2
# Characters of what vLLM says of arguments.
_LONGEST = 300
_BEAT_SECONDS = 5.0
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


class Shard(Protocol):
    """What is under way; the classes are in vllm_shards.py.

    Attributes:
        requests: Index into `prompts`, and seed.
        room: Tokens that a prompt must leave free.
        needs: How the line begins that says they are too many.
        items: What is finished and not yet told, each by its place in `requests`.
        left: Requests of the engine that are not finished.
        done: Items that were told.
        seconds: Of the engine at work on it.
    """

    id: int
    requests: list[list[int]]
    prompts: list[list[int]]
    room: int
    needs: str
    items: list[list[object]]
    left: int
    done: int
    seconds: float

    def asks(self, positions: int) -> Iterator[tuple[str, list[int], SamplingParams]]:
        """Requests for the engine: place, tokens, vLLM's SamplingParams; they count as `left`."""
        ...

    def take(self, place: str, output: CompletionOutput) -> None:
        """Keep what the engine answered to one of them."""
        ...


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
        told = _told(request.get("vllm_args", {}))
        # vLLM's own engine: what LLM.generate steps.
        try:
            self.steps = LLM(
                model=by_one_name(request["model"]),
                dtype=request["dtype"],
                max_model_len=positions,
                max_num_seqs=request["batch_size"],
                tensor_parallel_size=request.get("tensor_parallel", 1),
                enable_prefix_caching=True,
                # Of the policy's generation_config.json its end tokens count and nothing else.
                generation_config="vllm",
                seed=0,
                **(options | told),
            ).llm_engine
        except (TypeError, ValueError) as error:
            if not told:
                raise
            why = " ".join(str(error).split())[:_LONGEST]
            raise UserError(f"vllm_args: vLLM does not start with {told}: {why}") from error

    def add(self, shard: Shard) -> None:
        """Take the requests of a shard in."""
        for place, tokens, sampling in shard.asks(self.positions):
            name = f"{shard.id}-{place}"
            self.steps.add_request(name, {"prompt_token_ids": tokens}, sampling)


class Server:
    """Takes requests in, steps the engine, tells what is finished."""

    def __init__(self, wire: Wire, failure: Callable[[Exception], Message]) -> None:
        self._wire, self._failure = wire, failure
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._shards: dict[int, Shard] = {}
        self._engine: Engine | None = None
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._limit = 0
        self._told = 0.0

    def run(self) -> None:
        """Serve until the parent closes the wire."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            while not self._shards or not self._inbox.empty():
                request = self._inbox.get()
                if request is None:
                    return
                self._accept(request)
            self._step()
            now = time.monotonic()
            if now - self._told >= TELL_SECONDS:
                self._tell(now)

    def _listen(self) -> None:
        while (request := self._wire.read()) is not None:
            self._inbox.put(request)
        self._inbox.put(None)

    def _accept(self, request: Message) -> None:
        try:
            shard = self._prepare(request)
        except Exception as error:
            self._wire.write({**self._failure(error), "id": request["id"]})
            return
        if shard is not None:
            self._shards[shard.id] = shard
            self._finish(shard)  # where no prompt fits in, or only those that do not

    def _prepare(self, request: Message) -> Shard | None:
        """A shard whose requests are in the engine; None where the engine is too short for it."""
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            self._tokenizer = AutoTokenizer.from_pretrained(
                request["model"], trust_remote_code=False
            )
            self._limit = _limit(request["model"])
        shard = self._shard(request)
        lengths = [len(prompt) + shard.room for prompt in shard.prompts]
        shortest, longest = min(lengths), max(lengths)
        if self._limit and shortest > self._limit:
            raise UserError(f"{shard.needs} {shortest} positions, but the model has {self._limit}")
        needed = min(longest, self._limit or longest)
        if self._engine is None:
            positions = max(-(-needed // POSITIONS_STEP) * POSITIONS_STEP, request["positions"])
            self._engine = Engine(request, min(positions, self._limit or positions))
        if needed > self._engine.positions:
            restart = -(-needed // POSITIONS_STEP) * POSITIONS_STEP
            self._wire.write({"id": shard.id, "done": {"restart": restart}})
            return None
        self._wire.write({"id": shard.id, "progress": [0, len(shard.requests)]})  # loaded
        self._engine.add(shard)
        return shard

    def _shard(self, request: Message) -> Shard:
        shards, prompts = _load("generate/vllm_shards.py"), self._tokens(request["prompts"])
        if "choices" not in request:
            return shards.Samples(request, prompts)
        choice_tokens = _load("decoding/choice_tokens.py")
        choices = request["choices"]
        answers = _load("decoding/prompt_tokens.py").plain_ids(self._tokenizer, choices)
        if wrong := choice_tokens.mistake(choices, answers):
            raise UserError(wrong)
        return shards.Weighing(request, prompts, answers, choice_tokens)

    def _tokens(self, prompts: list[str | list[int]]) -> list[list[int]]:
        """Tokens of prompts, those that come as tokens as they are."""
        return _load("decoding/prompt_tokens.py").prompt_ids(self._tokenizer, prompts)

    def _step(self) -> None:
        """One step of the engine. If it fails the engine is of no more use: the process ends."""
        assert self._engine is not None
        began = time.perf_counter()
        outputs = self._engine.steps.step()
        took = time.perf_counter() - began
        running = sum(shard.left for shard in self._shards.values())
        for shard in self._shards.values():
            shard.seconds += took * shard.left / running
        for output in outputs:
            number, place = output.request_id.split("-")
            shard = self._shards[int(number)]
            shard.take(place, output.outputs[0])
            self._finish(shard)

    def _finish(self, shard: Shard) -> None:
        if shard.left == 0:
            self._send(shard)
            del self._shards[shard.id]
            self._wire.write({"id": shard.id, "done": {"engine_seconds": shard.seconds}})

    def _tell(self, now: float) -> None:
        quiet = now - self._told >= _BEAT_SECONDS
        for shard in self._shards.values():
            if shard.items or quiet:
                self._send(shard)
                self._told = now

    def _send(self, shard: Shard) -> None:
        shard.done += len(shard.items)
        told: Message = {"progress": [shard.done, len(shard.requests)], "items": shard.items}
        self._wire.write({"id": shard.id, **told})
        shard.items = []


def main() -> None:
    """Serve requests; the wire's descriptors are the last two arguments.

    A request: id, model, dtype, batch_size, memory_fraction, cpu_cache_gb, tensor_parallel,
    vllm_args (further arguments, by the field that they are from), prompts (texts or tokens),
    requests (index into prompts, seed), sampling (tasks.decoding.request.Sampling) or choices
    (texts, which are weighed behind each prompt), and positions: 0, or what an earlier child asked
    for.
    """
    os.environ.update(ENVIRONMENT)
    wire = _load("processes/wire.py")
    Server(wire.wire_from_argv(sys.argv), wire.failure).run()


def _told(given: dict[str, Message]) -> Message:
    """The arguments of the user's own; those that vLLM does not have are their mistake."""
    from dataclasses import fields

    import vllm
    from vllm.engine.arg_utils import EngineArgs

    known = {one.name for one in fields(EngineArgs)}
    for field, args in given.items():
        for name in args.keys() - known:
            raise UserError(f"{field}: {name}: vLLM {vllm.__version__} has no such argument")
    return {name: value for args in given.values() for name, value in args.items()}


def by_one_name(model: str) -> str:
    """A name that a policy's folder has from now on in this process, the same for all policies.

    vLLM keeps compiled code under a hash of its configuration, of which the model's path is a part.
    So under their own paths policies of one architecture would each be compiled anew; by one name,
    relative to a folder of this process alone, they find what the first one left.
    """
    folder = tempfile.mkdtemp(prefix="restem-policy-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.symlink(os.path.abspath(model), os.path.join(folder, POLICY))
    os.chdir(folder)
    return POLICY


def _limit(model: str) -> int:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model, trust_remote_code=False).get_text_config()
    return getattr(config, "max_position_embeddings", 0)


def _load(name: str) -> ModuleType:
    """A module of tasks/ that imports the standard library alone, by its path there."""
    path = Path(__file__).resolve().parent.parent / name
    spec = importlib.util.spec_from_file_location(f"restem_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: its modules are no libraries of vLLM's environment
    main()
