"""What each layer of the sandbox costs, for `restem bench sandbox`.

A layer is left out by not having it around the bench's own program: nothing of the sandbox can be
switched off.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from sandbox.container import Container, hardening
from sandbox.image import TAG
from sandbox.inside.prepare import PRELOADED_MODULES
from sandbox.pool import SandboxPool, connect
from sandbox.verdict import Job, Report
from tasks.errors import StepError

PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
TIMES = 100
# Forks a prepared interpreter for the program and awaits it, and nothing more; prints seconds.
FORKS = """
import gc, io, os, sys, time
for name in {preload!r}: __import__(name)
program, given = {program!r}, {given!r}
sys.stdout = open(os.devnull, "w")
def run():
    sys.stdin = io.StringIO(given)
    exec(compile(program, "main.py", "exec"), {{}})
for _ in range(10): run()
gc.disable(); gc.collect(); gc.freeze()
started = time.perf_counter()
for _ in range({times}):
    pid = os.fork()
    if pid == 0:
        run()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
os.write(1, b"%f\\n" % (time.perf_counter() - started))
"""


def layers(program: str, job: Job, rounds: int) -> None:
    """Print milliseconds a program with ever more around it; the ways take turns.

    Args:
        program: Of the job.
        job: With one test.
        rounds: The median of so many counts.
    """
    given = job.tests[0].stdin
    forks = FORKS.format(preload=PRELOADED_MODULES, program=program, given=given, times=TIMES)
    client = connect()
    options: dict[str, Any] = dict(hardening(job.limits.memory))
    closed = client.containers.run(TAG, ["sleep", "600"], detach=True, **options)
    together = Job(job.program, job.tests * TIMES)

    def started_for_it() -> float:
        started = time.perf_counter()
        for _ in range(TIMES // 4):
            subprocess.run(
                [PYTHON, "-c", program],
                input=given,
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
        return (time.perf_counter() - started) * 4

    def forked() -> float:
        return float(subprocess.check_output([PYTHON, "-I", "-c", forks]))

    def forked_inside() -> float:
        output: Any = closed.exec_run(["python3", "-I", "-c", forks]).output
        return float(output)

    def timed(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    def seen(_: int, report: Report) -> bool:
        if report["status"] != "ok":
            raise StepError(f"bench sandbox: {report}")
        return True

    try:
        with (
            contextlib.closing(Container(client, TAG, memory=job.limits.memory)) as container,
            SandboxPool(TAG, workers=1) as pool,
        ):
            pool.judge_now(job)
            ways: dict[str, Callable[[], float]] = {
                "python3 started for each": started_for_it,
                "a fork of a prepared interpreter, on the host": forked,
                "the same in a hardened container": forked_inside,
                "with uid, limits, pipes, killing, cleaning: tests of one job": lambda: timed(
                    lambda: container.run(together, seen)
                ),
                "a job for each, through the engine's stream": lambda: timed(
                    lambda: [container.run(job, seen) for _ in range(TIMES)]
                ),
                "judged by the pool": lambda: timed(lambda: list(pool.run([job] * TIMES))),
            }
            spent = {name: [] for name in ways}
            for _ in range(rounds):
                for name, way in ways.items():
                    spent[name].append(way() / TIMES * 1e3)
    finally:
        closed.remove(force=True)
        client.close()
    print("layers, milliseconds a program with one worker:")
    for name, found in spent.items():
        print(f"  {statistics.median(found):6.2f}  {name}")
