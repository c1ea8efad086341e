"""`restem bench soak`: a long stream of mixed jobs with known verdicts, while things are killed.

On a Docker daemon of its own, with the pool in a child process that journals its verdicts: three
times process 1 of a container is killed, once the pool's process, once the daemon. Then every
verdict must be there once and be the known one, nothing may have grown, and nothing may be left.
Growth is a straight line fitted to what was measured in each process's life after its warm-up.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker.errors
import numpy
import psutil

from bench.scoring import _soak_jobs
from bench.scoring._engine import OwnEngine
from sandbox.owner import LABEL
from sandbox.pool import NoEngine
from tasks.errors import StepError, UserError
from tasks.paths import ROOT

# What is killed when such a share of the verdicts is there.
KILLS = ((0.15, "container"), (0.3, "container"), (0.45, "container"), (0.6, "pool"))
KILLS += ((0.8, "daemon"),)
DOWN_SECONDS = 3.0
# A container that is being removed is listed until it is gone.
CONTAINERS_GONE_SECONDS = 300.0
# Until there is a container to kill.
LISTED_SECONDS = 300.0
SAMPLES = 400
# The first part of a life is its warm-up; with fewer samples there is no line to fit.
WARM_UP, FEWEST = 0.2, 20
# What a whole run may add: a leak of 200 bytes a job would show in 100,000. The engine's client
# keeps a connection for each of the last 25 addresses it asked, and every container has its own.
MOST = {"pool RSS, MB": 16.0, "pool descriptors": 25.0, "container memory, MB": 16.0}


@dataclass
class Watch:
    """What was measured: for each process or container (n, value) over its life."""

    series: dict[str, dict[str, list[tuple[int, float]]]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, whose: str, number: int, value: float) -> None:
        """Keep a value."""
        self.series.setdefault(what, {}).setdefault(whose, []).append((number, value))

    def growth(self, what: str, count: int) -> float | None:
        """What `count` jobs add, by the line through the longest life; None without enough."""
        lives = [life[int(len(life) * WARM_UP) :] for life in self.series.get(what, {}).values()]
        life = max(lives, key=len, default=[])
        if len(life) < FEWEST:
            return None
        numbers, values = zip(*life, strict=True)
        return float(numpy.polyfit(numbers, values, 1)[0]) * count


def run(count: str = "100000", seed: str = "1") -> float:
    """Print what was found; raises SystemExit(1) if any of it is not as it must be.

    Args:
        count: Jobs; each is a program with two tests.
        seed: Of which containers are killed.
    """
    watch = Watch()
    try:
        with OwnEngine() as engine, tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "verdicts"
            started = time.perf_counter()
            _drive(engine, journal, int(count), watch, random.Random(int(seed)))
            seconds = time.perf_counter() - started
            containers, processes = _left(engine)
            rows = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    except NoEngine as error:
        raise UserError(str(error)) from None
    lost, changed = judge(rows, int(count))
    print(f"{count} jobs in {seconds:.0f} s: {int(count) / seconds:.0f} a second")
    print("killed: " + ", ".join(f"{what} {times}" for what, times in watch.kills.items()))
    print(f"containers left {containers}, processes left {processes}")
    grown = False
    for what, most in MOST.items():
        lives = [value for life in watch.series.get(what, {}).values() for _, value in life]
        growth = watch.growth(what, int(count))
        grown |= growth is not None and growth > most
        said = "too few samples for a line" if growth is None else f"{growth:+.2f} in {count} jobs"
        print(f"{what}: at most {max(lives, default=0.0):.1f}, {said}")
    print(f"jobs lost {lost}, verdicts changed {len(changed)} {changed[:3]}")
    print(f"soak ratio={(lost + len(changed)) / int(count):.6f}")
    if lost or changed or containers or processes or grown or watch.kills.total() < len(KILLS):
        raise SystemExit(1)
    return 0.0


def judge(rows: list[list[object]], count: int) -> tuple[int, list[str]]:
    """How many jobs have not exactly one verdict, and the verdicts that are not the known ones."""
    times = Counter(row[0] for row in rows)
    lost = sum(times[number] != 1 for number in range(count))
    changed = [
        f"{number} ({_soak_jobs.kind(number)}): {verdict}"
        for number, *verdict in rows
        if isinstance(number, int) and verdict != _soak_jobs.known(number)
    ]
    return lost, changed


def _drive(engine: OwnEngine, journal: Path, count: int, watch: Watch, dice: random.Random) -> None:
    """Run all jobs, and kill what is to be killed on the way."""
    waiting = [(int(share * count), what) for share, what in KILLS]
    every = max(1, count // SAMPLES)
    while True:
        with _pool(engine, journal, count) as pool:
            for done in _progress(pool, journal, every):
                _measure(engine, pool.pid, done, watch)
                if waiting and done >= waiting[0][0]:
                    what = waiting.pop(0)[1]
                    watch.kills[what] += _kill(what, engine, pool, dice)
                    print(f"{done}: killed {what}", flush=True)
            if pool.returncode == 0:
                return
            if pool.returncode != -9:
                raise StepError(f"the pool ended with {pool.returncode}")


def _kill(what: str, engine: OwnEngine, pool: subprocess.Popen[bytes], dice: random.Random) -> int:
    if what == "pool":
        pool.kill()
    elif what == "daemon":
        engine.kill()
        time.sleep(DOWN_SECONDS)
        engine.start()
    else:
        _kill_container(engine, dice)
    return 1


def _kill_container(engine: OwnEngine, dice: random.Random) -> None:
    """Kill a container; the pool replaces them, so one that was listed may be gone already."""
    client: Any = engine.client()
    deadline = time.monotonic() + LISTED_SECONDS
    try:
        while time.monotonic() < deadline:
            running = client.api.containers(filters={"label": LABEL})
            if running:
                with suppress(docker.errors.APIError):
                    client.api.kill(dice.choice(running)["Id"])
                    return
            time.sleep(0.05)
        raise StepError(f"bench soak: no container to kill in {LISTED_SECONDS:.0f} s")
    finally:
        client.close()


@contextmanager
def _pool(engine: OwnEngine, journal: Path, count: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "bench.scoring._soak_jobs", str(journal), str(count)]
    variables = {**os.environ, "DOCKER_HOST": engine.address}
    process = subprocess.Popen(command, cwd=ROOT, env=variables)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _progress(pool: subprocess.Popen[bytes], journal: Path, every: int) -> Iterator[int]:
    """How many verdicts there are, whenever there are so many more, until the pool ends."""
    told = 0
    with journal.open("a+b") as file:
        file.seek(0)
        done = file.read().count(b"\n")
        while pool.poll() is None:
            time.sleep(0.05)
            done += file.read().count(b"\n")
            if done >= told + every:
                told = done
                yield done


def _measure(engine: OwnEngine, pid: int, done: int, watch: Watch) -> None:
    try:
        process = psutil.Process(pid)
        watch.note("pool RSS, MB", str(pid), done, process.memory_info().rss / 2**20)
        watch.note("pool descriptors", str(pid), done, process.num_fds())
    except psutil.Error:
        return  # it has just ended
    client = engine.client()
    try:
        for each in client.api.containers(filters={"label": LABEL}):
            stats = client.api.stats(each["Id"], stream=False, one_shot=True)
            used = stats["memory_stats"].get("usage", 0) / 2**20
            watch.note("container memory, MB", each["Id"], done, used)
    except (docker.errors.APIError, OSError):
        return  # killed, or being replaced
    finally:
        client.close()


def _left(engine: OwnEngine) -> tuple[int, int]:
    """Containers, and processes of containers, that are still there after all."""
    client: Any = engine.client()
    deadline = time.monotonic() + CONTAINERS_GONE_SECONDS
    try:
        while (found := client.api.containers(all=True)) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        client.close()
    for one in found:
        print(f"left: {one['State']}, {one['Status']}, {one['Labels']}")
    return len(found), engine.shims()
