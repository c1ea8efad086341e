"""Steps `resume` and `fork`: engines and trainers as processes, one of them killed.

Run in the process of the bench, which has no tensor of its own; the processes are forked from the
one that is warm, as in a run.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.gpu._limits import ended_at
from bench.gpu._models import SEED, SMALLER, TINY_DEEP, texts
from bench.gpu._record import Bench
from bench.gpu._training import job, rows
from tasks.decoding.request import Sampling
from tasks.errors import StepError
from tasks.finetune.checkpoints import CHECKPOINT_MARKER
from tasks.processes.child import Child, fork_server
from tasks.processes.wire import Message

TRAINER = "tasks.finetune.trainer:main"
ENGINE = "tasks.generate.transformers_engine:main"
# What CUDA opens when it begins.
CUDA_FILE = "nvidia-uvm"
SAVER = "bench.gpu._processes:saver"


def saver(wire: Any) -> None:
    """Save a model as asked; in a process of its own, for it may touch the card."""
    from bench.gpu._models import save
    from tasks.processes.wire import answer_requests

    def handle(request: Message, wire: Any) -> Message:
        bench = Bench(**request["bench"])
        shape = TINY_DEEP if bench.small else SMALLER
        save(shape.config(), Path(request["folder"]), bench.device)
        return {}

    answer_requests(wire, handle)


def _start(bench: Bench) -> Path:
    """A model's folder."""
    folder = bench.place / "start"
    _call(bench, SAVER, {"bench": bench.to_json(), "folder": str(folder)})
    return folder


def _call(bench: Bench, target: str, request: Message, **more: Any) -> Message:
    with _child(bench, target) as child, ended_at(child, bench.until):
        return child.call(request, **more)


def _child(bench: Bench, target: str) -> Child:
    return Child.module(target, log=Path(bench.out).with_suffix(".log"))


def _job(bench: Bench, start: Path, name: str) -> Message:
    tokens, longest, size = (40, 128, 2) if bench.small else (130, 1024, 4)
    steps = 12 if bench.small else 30
    given = rows(steps * size * longest // tokens, tokens)
    return job(
        bench,
        start,
        given,
        name,
        max_length=longest,
        batch_size=size,
        micro=size,
        minutes=0.0005 if bench.small else 0.01,
    )


def resume(bench: Bench) -> None:
    """SIGKILL in the middle of training; the losses and the weights against those undisturbed."""
    start = _start(bench)
    calm, again = _job(bench, start, "calm"), _job(bench, start, "again")
    with ThreadPoolExecutor(2) as threads:
        undisturbed, repeated = threads.map(lambda of: _call(bench, TRAINER, of), (calm, again))
    killed = _job(bench, start, "killed")
    middle = undisturbed["steps"] // 2
    reached = _killed(bench, killed, middle)
    came: list[int] = []
    resumed = _call(bench, TRAINER, killed, on_progress=lambda done, total: came.append(done))
    bench.line(
        f"killed at step {reached}",
        steps=undisturbed["steps"],
        went_on_at_step=came[0] if came else 0,
        loss_difference=_losses_apart(undisturbed, resumed),
        loss_difference_of_two_calm=_losses_apart(undisturbed, repeated),
        weight_difference=_weights_apart(calm, killed),
        weight_difference_of_two_calm=_weights_apart(calm, again),
        seconds=undisturbed["seconds"],
    )
    if not 1 < (came[0] if came else 0) <= reached + 1:
        raise AssertionError(f"it went on at step {came[:1]}, killed at {reached}")


def _killed(bench: Bench, of: Message, middle: int) -> int:
    """Train until a step is reached and a checkpoint is whole, then kill; the step."""
    reached, work = 0, Path(of["work"])
    with _child(bench, TRAINER) as child, ended_at(child, bench.until):

        def progress(done: int, total: int) -> None:
            nonlocal reached
            reached = done
            if done >= middle and any(work.rglob(CHECKPOINT_MARKER)):
                os.kill(child.pid, signal.SIGKILL)

        try:
            child.call(of, on_progress=progress)
        except StepError:
            return reached
    raise AssertionError("it was not killed before its end")


def _losses_apart(one: Message, other: Message) -> float:
    found = [
        {entry["step"]: entry["loss"] for entry in reply["history"] if "loss" in entry}
        for reply in (one, other)
    ]
    if found[0].keys() != found[1].keys():
        raise AssertionError("the histories have other steps")
    return max(abs(found[0][step] - found[1][step]) for step in found[0])


def _weights_apart(one: Message, other: Message) -> float:
    from safetensors.numpy import load_file

    a, b = (load_file(next(Path(of["out"]).glob("*.safetensors"))) for of in (one, other))
    return max(float(abs(a[name] - b[name]).max()) for name in a)


def fork(bench: Bench) -> None:
    """An engine and a trainer at once, forked from one process that has no hold on the card."""
    start = _start(bench)
    home = fork_server(Path(bench.out).with_suffix(".log"))
    prompts = texts(4 if bench.small else 32, 60)
    request = {
        "model": str(start),
        "device": "cpu" if bench.small else "cuda",
        "dtype": "float32",
        "threads": 1 if bench.small else 4,
        "batch_size": 64,
        "prompts": prompts,
        "requests": [[i, SEED + i] for i in range(len(prompts))],
        "sampling": Sampling(temperature=0.7, max_tokens=8 if bench.small else 64).to_json(),
    }
    began = time.perf_counter()
    with ThreadPoolExecutor(3) as threads:
        jobs = [
            threads.submit(_call, bench, ENGINE, request),
            threads.submit(_call, bench, ENGINE, request),
            threads.submit(_call, bench, TRAINER, _job(bench, start, "job")),
        ]
        held = _held(home._guard.pid, [one.done for one in jobs])
        replies = [one.result() for one in jobs]
    bench.line(
        "two engines and a trainer",
        seconds=time.perf_counter() - began,
        trained_steps=replies[2]["steps"],
        engine_seconds=replies[0]["engine_seconds"],
        threads_of_the_bench=threading.active_count(),
        # Of the process that forks. To ask how many cards there are opens some; CUDA another.
        card_files_held=len(held),
        cuda_held=any(CUDA_FILE in one for one in held),
    )
    if any(CUDA_FILE in one for one in held):
        raise AssertionError("the process that forks has begun with CUDA, which forks cannot use")


def _held(guard: int, over: list[Any]) -> set[str]:
    """Files of the card that the process which forks had open while its children worked."""
    import psutil

    servers = psutil.Process(guard).children()
    found: set[str] = set()
    while not all(done() for done in over):
        for server in servers:
            links = list(Path(f"/proc/{server.pid}/fd").glob("*"))
            found |= {target for link in links if "nvidia" in (target := _target(link))}
        time.sleep(0.1)
    return found


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
