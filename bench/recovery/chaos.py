"""`restem bench chaos`: whatever dies, every run is resumed and ends as if nothing had happened.

Runs go through a real station (`restem up`: server, worker, deployment). At random moments
something is killed, filled or taken away: the worker, the flow's process, the engine, the trainer,
a sandbox's container, the Prefect server, PostgreSQL, the store's disk, the store's folder. A run
that ends early is resumed, in turn by Retry, by `restem resume` and by starting it again.

Compared with undisturbed runs elsewhere: the digest of every artifact. Counted: artifacts made
again although they were committed, processes, containers, locks and drafts left, and ends of which
the run's state says nothing. A part of the runs has its Prefect database in PostgreSQL, where the
machine has that.
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
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.recovery._chaos_faults import Faults, containers, mount, unmount
from bench.recovery._chaos_station import (
    ENDS,
    HANG_SECONDS,
    RESUMES,
    Station,
    plain_environment,
    small,
)
from bench.recovery._postgres import Postgres, programs
from bench.recovery.resume import ROOT, _survivors
from flows.config.rest_em import RestEmConfig
from flows.runs.journal import read_steps
from tasks.store.locks import is_held

FAULTS_A_RUN = 3
# One run in so many is of programs, where a Docker engine answers.
CODE_EVERY = 4
# The share of runs on PostgreSQL.
ON_POSTGRES = 0.3
# So many more faults are meant than asked for: a run may be done before its last one strikes.
SPARE = 1.15
# How long to look for something to kill, such as a trainer, before another kind is taken.
LOOK_SECONDS = 25.0


@dataclass
class ChaosTally:
    """What happened over all runs."""

    faults: Counter[str] = field(default_factory=Counter)
    resumes: Counter[str] = field(default_factory=Counter)
    said: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    runs: int = 0


def run(faults: str = "60", runs: str = "20", seed: str = "1") -> float:
    """Disturb `runs` runs or more with `faults` faults or more; SystemExit(1) on any violation."""
    dice, tally = random.Random(int(seed)), ChaosTally()
    where = {"sqlite": int(runs)}
    if programs():
        where["postgres"] = round(int(runs) * ON_POSTGRES)
        where["sqlite"] -= where["postgres"]
    else:
        print("no PostgreSQL here: the database is SQLite in all runs", flush=True)
    storm_seconds = 0.0
    plans = [(_domain(number), number) for number in range(1, int(runs) + 1)]
    with tempfile.TemporaryDirectory(prefix="restem-calm-") as folder:
        calm_seconds = undisturbed(Path(folder), plans)
        calm = {plan: _digests_of(Path(folder), small(*plan)) for plan in plans}
    for database, count in where.items():
        mine, plans = plans[:count], plans[count:]
        share = math.ceil(SPARE * int(faults) * count / int(runs))
        expected = {key: digest for plan in mine for key, digest in calm[plan].items()}
        storm_seconds += disturbed(database, mine, share, expected, dice, tally)
    print(f"undisturbed {calm_seconds:.0f} s, disturbed {storm_seconds:.0f} s")
    _print(tally)
    if tally.wrong or tally.faults.total() < int(faults):
        raise SystemExit(1)
    print(f"chaos ratio={storm_seconds / calm_seconds:.2f}")
    return storm_seconds / calm_seconds


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
    expected: dict[str, str],
    dice: random.Random,
    tally: ChaosTally,
) -> float:
    """Do the same runs on a station, with faults; seconds."""
    scratch = Path(tempfile.mkdtemp(prefix="restem-storm-"))
    scratch.chmod(0o755)  # PostgreSQL's user looks into it
    home, postgres = scratch / "home", None
    try:
        mount(home / "disk")
        if database == "postgres":
            postgres = Postgres(scratch / "postgres")
        station = Station(home, postgres.address if postgres else "")
        started = time.perf_counter()
        target = tally.faults.total() + faults
        for number, (domain, seed) in enumerate(plans):
            left = target - tally.faults.total()
            each = max(FAULTS_A_RUN, -(-left // (len(plans) - number)))
            Storm(station, Faults(station, postgres), domain, seed, dice, tally).go(
                each, len(expected) // len(plans)
            )
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


class Storm:
    """One run, its faults, and its resumes."""

    def __init__(
        self,
        station: Station,
        faults: Faults,
        domain: str,
        seed: int,
        dice: random.Random,
        tally: ChaosTally,
    ) -> None:
        self._station, self._dice, self._tally = station, dice, tally
        self._kinds = faults.kinds(domain)
        self._domain, self._seed = domain, seed
        self._config = small(domain, seed, station.store)
        self._since: list[str] = []  # faults since the last start or resume

    def go(self, faults: int, artifacts: int) -> None:
        """Start, disturb and resume it until it is Completed.

        Args:
            faults: How many.
            artifacts: About how many a run makes; faults are spread over them.
        """
        tally, before = self._tally, len(self._commits())
        self._flow_run = self._station.start(self._config)
        moments = sorted(self._dice.randrange(artifacts) for _ in range(faults))
        for moment in moments:
            if not self._reach(before + moment):
                break
            self._strike()
        while (state := self._wait_for_end()) != "COMPLETED":
            self._resume(state)
        tally.runs += 1

    def _reach(self, commits: int) -> bool:
        """Go on until so many artifacts are there; False if the run was completed first."""
        while len(self._commits()) < commits:
            state, _ = self._station.state(self._flow_run)
            if state == "COMPLETED":
                return False
            if state in ENDS:
                self._resume(state)
            time.sleep(0.05)
        time.sleep(self._dice.uniform(0.0, 0.5))
        return True

    def _strike(self) -> None:
        """Do one fault, of the kinds that happened least."""
        rarest = sorted(
            self._kinds, key=lambda kind: (self._tally.faults[kind], self._dice.random())
        )
        deadline = time.monotonic() + LOOK_SECONDS
        for kind in rarest:
            before = self._commits()
            while not (done := self._kinds[kind]()) and time.monotonic() < deadline:
                if self._station.state(self._flow_run)[0] in ENDS:
                    break
                time.sleep(0.02)
            if done:
                self._since.append(kind)
                self._tally.faults[kind] += 1
                print(f"{self._tally.faults.total():4} {self._config.run_id}: {kind}", flush=True)
                self._see_nothing_lost(before)
                return

    def _see_nothing_lost(self, before: dict[str, int]) -> None:
        after = self._commits()
        remade = [key for key, made in before.items() if after.get(key) != made]
        if remade:
            self._tally.wrong.append(f"made again after {self._blamed}: {remade[:3]}")

    def _wait_for_end(self) -> str:
        deadline, state = time.monotonic() + HANG_SECONDS, ""
        while time.monotonic() < deadline:
            state, _ = self._station.state(self._flow_run)
            if state in ENDS:
                return state
            time.sleep(0.3)
        raise SystemExit(f"{self._config.run_id} hangs after {self._blamed}: {state}")

    def _resume(self, state: str) -> None:
        _, message = self._station.state(self._flow_run)
        errors = self._station.errors(self._flow_run)
        words = message or (errors[-1] if errors else "")
        self._tally.said[(self._blamed, " ".join(words.split())[:150])] += 1
        if not words or "Traceback" in words:
            self._tally.wrong.append(
                f"{state} after {self._blamed}, without a plain word: {words!r}"
            )
        self._since.clear()
        before = self._commits()
        how = RESUMES[self._tally.resumes.total() % len(RESUMES)]
        self._tally.resumes[how] += 1
        if how == "Retry":
            self._station.retry(self._flow_run)
        elif how == "restem resume":
            done = self._station.command("resume", self._config.run_id)
            if done.returncode:
                self._tally.wrong.append(f"restem resume: {done.stderr.strip()[-200:]}")
            self._flow_run = self._station.start(self._config)
        else:
            self._flow_run = self._station.start(self._config)
        self._see_nothing_lost(before)

    @property
    def _blamed(self) -> str:
        return " and ".join(self._since) or "a resume"

    def _commits(self) -> dict[str, int]:
        found = {}
        for path in self._station.store.glob("[!.]*/*/manifest.json"):
            try:
                found[str(path.parent.relative_to(self._station.store))] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # the store is away
        return found


def _look_for_leftovers(station: Station, tally: ChaosTally) -> None:
    """What is there when all runs are done, and after the station's end."""
    store = station.store
    left = [p for p in [*store.glob(".drafts/*"), *(station.home / "work").glob("*")] if p.exists()]
    held = [p for p in [*store.glob(".locks/*"), *station.home.glob("runs/*/lock")] if is_held(p)]
    done = station.command("down")
    for name, what in (
        ("drafts and work folders", left),
        ("locks", held),
        ("containers", containers()),
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
