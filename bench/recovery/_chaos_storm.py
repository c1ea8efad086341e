"""One run of `restem bench chaos`, its faults, and its resumes."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.recovery._chaos_faults import HARMLESS, Faults
from bench.recovery._chaos_station import ENDS, HANG_SECONDS, LOST, RESUMES, Station, small
from tasks.facts import Facts

# How long to look for something to kill, such as a trainer, before another kind is taken.
LOOK_SECONDS = 25.0
# Between what was struck and why a run ended, in the record of a bench.
_AND = " | "


@dataclass
class ChaosTally:
    """What happened over all runs.

    Attributes:
        faults: By kind.
        resumes: By way.
        said: What the state of an ended run said, by the faults before it.
        wrong: Violations.
        runs: Those that were completed.
    """

    faults: Counter[str] = field(default_factory=Counter[str])
    resumes: Counter[str] = field(default_factory=Counter[str])
    said: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    wrong: list[str] = field(default_factory=list[str])
    runs: int = 0

    def write(self, path: Path) -> None:
        """Keep it, for another call that goes on."""
        said = {_AND.join(key): count for key, count in self.said.items()}
        record = TallyRecord(dict(self.faults), dict(self.resumes), said, self.wrong, self.runs)
        path.write_text(json.dumps(record.to_json(), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> ChaosTally:
        """What an earlier call kept; an empty one where there was none."""
        if not path.exists():
            return cls()
        known = TallyRecord.from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
        said = {tuple(key.split(_AND, 1)): count for key, count in known.said.items()}
        faults, resumes = Counter(known.faults), Counter(known.resumes)
        return cls(faults, resumes, Counter(said), list(known.wrong), known.runs)  # type: ignore[arg-type]


@dataclass(frozen=True)
class TallyRecord(Facts):
    """A tally in JSON."""

    faults: dict[str, int]
    resumes: dict[str, int]
    said: dict[str, int]
    wrong: list[str]
    runs: int


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
        self._config = faults.store.config = small(domain, seed, station.store)
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
        if self._since and HARMLESS.issuperset(self._since):
            self._tally.wrong.append(f"{state} though nobody died, after {self._blamed}: {words!r}")
        self._tally.said[(self._blamed, " ".join(words.split())[:150])] += 1
        if not words or "Traceback" in words:
            self._tally.wrong.append(
                f"{state} after {self._blamed}, without a plain word: {words!r}"
            )
        self._since.clear()
        before = self._commits()
        way = self._tally.resumes.total() % len(RESUMES)
        how = RESUMES[-1] if state == LOST else RESUMES[way]
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
