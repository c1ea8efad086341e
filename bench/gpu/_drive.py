"""Runs the steps, each in a process of its own with a limit of its own.

Processes are forked from one that has imported torch, transformers and TRL, as engines and
trainers are (tasks/processes/fork_server.py): so none imports anew, each takes hold of the card by
itself, and one that hangs is ended. If the first one fails, the others are started without a fork.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.gpu._limits import ended_at
from bench.gpu._record import TRACE_LINES, Bench
from bench.gpu._steps import STEPS, run
from tasks.errors import StepError
from tasks.processes.child import Child, close_fork_server, preload

PRELOAD = ["flows.machines.preload"]
# Models and checkpoints are some gigabytes; memory is quicker than a disk, which is not measured.
SHARED_MEMORY = Path("/dev/shm")
ROOM_BYTES = 30e9
# A step with less time than this is not begun.
LEAST_SECONDS = 3.0


@dataclass(frozen=True)
class Asked:
    """What to run.

    Attributes:
        out: The file of lines; what is in it is kept.
        steps: Names.
        small: Shapes for two cores in place of a GPU.
        seconds: For everything.
        told: Called after each step, when its lines are written.
    """

    out: Path
    steps: Sequence[str]
    small: bool
    seconds: float
    told: Callable[[], None]


def measure(asked: Asked) -> bool:
    """Run the steps; whether none failed."""
    began = time.time()
    log = asked.out.with_suffix(".log")
    # With several cards in sight, transformers' trainer would spread a model over them.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    preload(PRELOAD)
    whole, forked = True, True
    with _scratch() as scratch:
        base = Bench("start", str(asked.out), scratch, asked.small, began, began + asked.seconds)
        try:
            with contextlib.suppress(StepError, OSError), _child(True, log):
                pass  # which waits for the imports, so that no step's limit counts them
            base.line("", import_seconds=time.time() - began)
            for step in asked.steps:
                left = began + asked.seconds - time.time()
                if left < LEAST_SECONDS:
                    base = replace(base, step=step)
                    base.line("", error="not run: the time is over")
                    whole = False
                    asked.told()
                    continue
                # Steps share a lent GPU's minutes; a CPU may be busy, and nothing is scarce.
                limit = left if asked.small else min(left, STEPS[step].seconds)
                until = time.time() + limit
                done = _run(replace(base, step=step, until=until), forked, log)
                if not done and forked and step == asked.steps[0] and not STEPS[step].starts:
                    forked = False
                    done = _run(replace(base, step=step, until=until), forked, log)
                whole = whole and done
                asked.told()
        finally:
            close_fork_server()
    Bench("end", str(asked.out), "", asked.small, began, 0).line("", whole=whole, forked=forked)
    asked.told()
    return whole


def _run(bench: Bench, forked: bool, log: Path) -> bool:
    if STEPS[bench.step].starts:
        return run(bench)
    try:
        with _child(forked, log) as child, ended_at(child, bench.until):
            return bool(child.call(bench.to_json())["whole"])
    except (StepError, OSError) as error:
        over = "its time is over" if bench.left <= 0 else ""
        bench.line("", error=over or str(error), trace=_tail(log))
        return False


def _child(forked: bool, log: Path) -> Child:
    if forked:
        return Child.module("bench.gpu._steps:serve", log=log)
    return Child.script(Path(sys.executable), Path(__file__).with_name("_steps.py"), log=log)


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    room = 0
    if SHARED_MEMORY.is_dir():
        room = shutil.disk_usage(SHARED_MEMORY).free
    home = str(SHARED_MEMORY) if room > ROOM_BYTES else None
    with tempfile.TemporaryDirectory(prefix="restem-gpu-", dir=home) as folder:
        yield folder


def _tail(log: Path) -> list[str]:
    if not log.exists():
        return []
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-TRACE_LINES:]
