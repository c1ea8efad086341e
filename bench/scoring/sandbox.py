"""`restem bench sandbox`: programs in the sandbox against a bare `python3` process for each test.

In one run, at one worker and at as many as there are cores: programs with one test and with ten;
what the layers of isolation cost (_layers.py); and, for scale, `docker exec` into a warm container
and a hardened `docker run` for each test. The baseline has no limits, no user of its own and no
isolation at all. Ways take turns, and the median over the rounds counts. The last line is the
one-test figure at as many workers as cores.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.scoring._layers import layers
from sandbox.container import hardening
from sandbox.image import TAG
from sandbox.pool import NoEngine, SandboxPool, connect
from sandbox.verdict import Job, Limits, ProgramStatus, Test
from tasks.errors import StepError, UserError

PROGRAM = "a, b = map(int, input().split())\nprint(a * b + sum(range(100)))"
# The system's, as in the image; one of a developer's own may start several times slower.
PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
MANY_TESTS = 10
COLD_RUNS = 6
EXECS = 20


def run(jobs: str = "300", rounds: str = "5") -> float:
    """Print executions a second of each way, latencies and ratios.

    Args:
        jobs: Programs a round and way.
        rounds: Rounds; each way once in each.
    """
    ratio, speed = 0.0, 0.0
    try:
        for workers in sorted({1, os.cpu_count() or 1}):
            with SandboxPool(TAG, workers=workers) as pool:
                list(pool.run([_job(1)] * 2 * workers))
                for tests in (1, MANY_TESTS):
                    found = _compare(pool, tests, int(jobs) // tests, int(rounds))
                    if tests == 1:
                        ratio, speed = found[0], found[1] if workers == 1 else speed
        layers(PROGRAM, _job(1), int(rounds))
        _containers(TAG, speed)
    except NoEngine as error:
        raise UserError(str(error)) from None
    print(f"sandbox ratio={ratio:.3f}")
    return ratio


def _compare(pool: SandboxPool, tests: int, jobs: int, rounds: int) -> tuple[float, float]:
    """Ratio to the baseline, and programs a second."""
    latencies: list[float] = []
    ours, bare = [], []
    for number in range(rounds):
        ways: list[tuple[list[float], Callable[[], None]]] = [
            (ours, lambda: _sandboxed(pool, tests, jobs, latencies)),
            (bare, lambda: _bare(pool.workers, tests, jobs)),
        ]
        for speeds, way in ways[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            way()
            speeds.append(jobs / (time.perf_counter() - started))
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    latencies.sort()
    middle, late = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    print(
        f"{pool.workers} worker(s), {tests:2} test(s): sandbox {statistics.median(ours):6.1f} "
        f"programs/s (median {middle * 1e3:.1f} ms, p99 {late * 1e3:.1f} ms), bare python3 "
        f"{statistics.median(bare):6.1f} programs/s, ratio {ratio:.2f}",
        flush=True,
    )
    return ratio, statistics.median(ours)


def _sandboxed(pool: SandboxPool, tests: int, jobs: int, latencies: list[float]) -> None:
    job = _job(tests)

    def one(_: int) -> None:
        started = time.perf_counter()
        verdict = pool.judge_now(job)
        latencies.append(time.perf_counter() - started)
        if verdict.status is not ProgramStatus.CORRECT:
            raise StepError(f"bench sandbox: {verdict}")

    with ThreadPoolExecutor(pool.workers) as threads:
        list(threads.map(one, range(jobs)))


def _bare(workers: int, tests: int, jobs: int) -> None:
    def one(_: int) -> None:
        for test in _job(tests).tests:
            done = subprocess.run(
                [PYTHON, "-c", PROGRAM],
                input=test.stdin,
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
            if done.stdout.strip() != test.expected:
                raise StepError(f"bench sandbox: python3 printed {done.stdout!r} {done.stderr!r}")

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(one, range(jobs)))


def _containers(image: str, ours: float) -> None:
    """`docker exec` and `docker run` of the same program, one after the other."""
    client = connect()
    options: dict[str, Any] = dict(hardening(Limits().memory))
    warm = client.containers.run(image, ["sleep", "600"], detach=True, **options)
    test = _job(1).tests[0]
    command = ["python3", "-c", PROGRAM.replace("input()", repr(test.stdin))]
    ways: list[tuple[str, int, Callable[[], object]]] = [
        ("exec", EXECS, lambda: warm.exec_run(command)),
        ("run", COLD_RUNS, lambda: client.containers.run(image, command, remove=True, **options)),
    ]
    try:
        for name, times, way in ways:
            started = time.perf_counter()
            for _ in range(times):
                way()
            speed = times / (time.perf_counter() - started)
            print(
                f"docker {name}, hardened alike, one at a time: {speed:.1f} programs/s; the "
                f"sandbox with one worker runs {ours / speed:.0f} times as many"
            )
    finally:
        warm.remove(force=True)
        client.close()


def _job(tests: int) -> Job:
    return Job(PROGRAM, tuple(Test(f"{i} 7\n", str(i * 7 + sum(range(100)))) for i in range(tests)))
