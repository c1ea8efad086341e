"""`restem bench chaos`: whatever happens, every run is resumed and ends as if nothing had.

Runs go through a real station (`restem up`: server, worker, deployment). At random moments
something is killed (the worker, the flow's process, the engine, the trainer, a sandbox's container,
the Prefect server, PostgreSQL), stopped (the trainer, or all of it, as by a machine that sleeps),
filled or taken away (the store's disk, the store's folder), emptied, cleaned (by this home, and by
another one that uses the store), damaged (Prefect's database) or set (the clock). A run that ends
early is resumed, in turn by Retry, by `restem resume` and by starting it again.

Compared with undisturbed runs elsewhere: the digest of every artifact. Counted: artifacts made
again although they were committed, processes, containers, locks and drafts left, ends of which
the run's state says nothing, and ends of runs in which nobody died. A part of the runs has its
Prefect database in PostgreSQL, where the machine has that.

`restem bench chaos FAULTS RUNS SEED MINUTES FILE`: after so many minutes no run is begun, and the
same command goes on from what FILE has kept. The sleep and the clock are simulated, see
_suspension.py and _chaos_clock.py.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.recovery._chaos_clock import WallClock
from bench.recovery._chaos_faults import Faults
from bench.recovery._chaos_processes import containers_left
from bench.recovery._chaos_station import Station, plain_environment, small
from bench.recovery._chaos_store import mount, unmount
from bench.recovery._chaos_storm import ChaosTally, Storm
from bench.recovery._postgres import Postgres, programs
from bench.recovery.resume import ROOT, _survivors
from flows.config.rest_em import RestEmConfig
from flows.runs.journal import read_steps
from tasks.store.locks import is_held

FAULTS_A_RUN = 2
# One run in so many is of programs, where a Docker engine answers.
CODE_EVERY = 4
# The share of runs on PostgreSQL.
ON_POSTGRES = 0.3
# So many more faults are meant than asked for: a run may be done before its last one strikes.
SPARE = 1.15
# Runs whose undisturbed twins are made together, and that share a station.
AT_ONCE = 8


def run(
    faults: str = "80", runs: str = "25", seed: str = "1", minutes: str = "45", record: str = ""
) -> float:
    """Disturb `runs` runs or more with `faults` faults or more; SystemExit(1) on any violation.

    Args:
        faults: How many at least.
        runs: How many.
        seed: Of what strikes when.
        minutes: After so many no further run is begun.
        record: A file that keeps what happened: the next call goes on from there.
    """
    kept = Path(record) if record else None
    tally = ChaosTally.read(kept) if kept else ChaosTally()
    dice, until = random.Random(int(seed) + tally.runs), time.monotonic() + 60 * float(minutes)
    on_postgres = int(int(runs) * ON_POSTGRES) if programs() else 0
    if not programs():
        print("no PostgreSQL here: the database is SQLite in all runs", flush=True)
    calm_seconds = storm_seconds = 0.0
    while (left := int(runs) - tally.runs) > 0 and time.monotonic() < until:
        database = "sqlite" if left > on_postgres else "postgres"
        count = min(AT_ONCE, left - on_postgres if database == "sqlite" else left)
        plans = [(_domain(n), n) for n in range(tally.runs + 1, tally.runs + count + 1)]
        share = math.ceil(SPARE * (int(faults) - tally.faults.total()) * count / left)
        with tempfile.TemporaryDirectory(prefix="restem-calm-") as folder:
            calm_seconds += undisturbed(Path(folder), plans)
            calm = [_digests_of(Path(folder), small(*plan)) for plan in plans]
        storm_seconds += disturbed(database, plans, share, calm, dice, tally, until)
        if kept:
            tally.write(kept)
    print(f"undisturbed {calm_seconds:.0f} s, disturbed {storm_seconds:.0f} s")
    _print(tally)
    if tally.wrong or tally.faults.total() < int(faults) or tally.runs < int(runs):
        raise SystemExit(1)
    ratio = storm_seconds / calm_seconds if calm_seconds else 0.0
    print(f"chaos ratio={ratio:.2f}")
    return ratio


def undisturbed(home: Path, plans: list[tuple[str, int]]) -> float:
    """Do the runs one after another from the command line; seconds."""
    configs = [small(domain, seed).model_dump_json() for domain, seed in plans]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "bench.recovery._chaos_calm", *configs],
        cwd=ROOT,
        env={**plain_environment(), "RESTEM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def disturbed(
    database: str,
    plans: list[tuple[str, int]],
    faults: int,
    calm: list[dict[str, str]],
    dice: random.Random,
    tally: ChaosTally,
    until: float,
) -> float:
    """Do the same runs on a station, with faults; seconds.

    Args:
        database: sqlite or postgres.
        plans: Domain and seed of each run.
        faults: How many, over all of them.
        calm: Artifacts and digests of the undisturbed runs.
        dice: Says what strikes when.
        tally: Counts.
        until: Moment of time.monotonic() after which no run is begun.
    """
    scratch = Path(tempfile.mkdtemp(prefix="restem-storm-"))
    scratch.chmod(0o755)  # PostgreSQL's user looks into it
    home, postgres, clock = scratch / "home", None, None
    try:
        mount(home / "disk")
        if database == "postgres":
            postgres = Postgres(scratch / "postgres")
        else:
            clock = _clock(scratch)  # PostgreSQL would go by another one
        station = Station(home, postgres.address if postgres else "", clock)
        harm = Faults(station, postgres, clock)
        started = time.perf_counter()
        target = tally.faults.total() + faults
        expected: dict[str, str] = {}
        for number, ((domain, seed), made) in enumerate(zip(plans, calm, strict=True)):
            if time.monotonic() > until:
                break
            left = target - tally.faults.total()
            each = max(FAULTS_A_RUN, -(-left // (len(plans) - number)))
            Storm(station, harm, domain, seed, dice, tally).go(each, len(made))
            expected |= made
        seconds = time.perf_counter() - started
        _look_for_leftovers(station, tally)
        found = _digests(station.store)
        different = sorted(
            key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)
        )
        if different:
            tally.wrong.append(f"{len(different)} artifacts differ: {different[:5]}")
        return seconds
    finally:
        if postgres is not None:
            postgres.stop()
        unmount(home / "disk")
        shutil.rmtree(scratch, ignore_errors=True)


def _clock(scratch: Path) -> WallClock | None:
    try:
        return WallClock(scratch / "clock")
    except OSError as error:
        print(f"the clock is not set: {error}", flush=True)
        return None


def _look_for_leftovers(station: Station, tally: ChaosTally) -> None:
    """What is there when all runs are done, and after the station's end."""
    store = station.store
    left = [p for p in [*store.glob(".drafts/*"), *(station.home / "work").glob("*")] if p.exists()]
    held = [p for p in [*store.glob(".locks/*"), *station.home.glob("runs/*/lock")] if is_held(p)]
    done = station.command("down")
    for name, what in (
        ("drafts and work folders", left),
        ("locks", held),
        ("containers", containers_left()),
        ("processes", list(range(_survivors(station.home)))),
    ):
        if what:
            tally.wrong.append(f"{name} left: {what[:3]}")
    if done.returncode:
        tally.wrong.append(f"restem down: {done.stderr.strip()}")


def _digests_of(home: Path, config: RestEmConfig) -> dict[str, str]:
    """The artifacts that a run came to, and their digests."""
    return {line.artifact: line.digest for line in read_steps(home / "runs" / config.run_id)}


def _digests(store: Path) -> dict[str, str]:
    return {
        f"{path.parent.parent.name}/{path.parent.name}": json.loads(
            path.read_text(encoding="utf-8")
        )["digest"]
        for path in store.glob("[!.]*/*/manifest.json")
    }


def _domain(number: int) -> str:
    docker = (
        shutil.which("docker")
        and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    )
    return "code" if docker and number % CODE_EVERY == 0 else "math"


def _print(tally: ChaosTally) -> None:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tally.faults.items()))
    ways = ", ".join(f"{way} {count}" for way, count in sorted(tally.resumes.items()))
    print(f"faults: {tally.faults.total()} over {tally.runs} runs ({kinds})")
    print(f"resumed: {tally.resumes.total()} times ({ways})")
    print("what the state of an ended run said:")
    for (kind, words), count in sorted(tally.said.items()):
        print(f"  {count} after {kind}: {words}")
    print(f"violations: {len(tally.wrong)}")
    for line in tally.wrong:
        print(f"  {line}")
