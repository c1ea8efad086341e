"""A run whose time is estimated by a probe and then taken: for `bench estimate` and `simulate`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tasks.paths import ROOT
from tasks.rows import Json


@dataclass(frozen=True)
class BenchShape:
    """A configuration of the bench."""

    name: str
    config: str
    changes: tuple[str, ...]

    @property
    def flags(self) -> list[str]:
        """For the command line."""
        return [part for change in self.changes for part in ("--set", change)]


@dataclass(frozen=True)
class RunTaken:
    """What a run took.

    Attributes:
        seconds: From its first step to its last, as `restem status` says.
        wall: Of the command.
        stages: By (iteration, set or step), as in an estimate.
    """

    seconds: float
    wall: float
    stages: dict[tuple[int, str], float]


def probe(shape: BenchShape, folder: Path) -> Json:
    """The estimate of a fresh probe."""
    text, _ = _restem(folder, "run", shape.config, *shape.flags, "--dry-run", "--probe", "--json")
    return json.loads(text.splitlines()[-1])["estimate"]


def run(shape: BenchShape, folder: Path) -> RunTaken:
    """Do it."""
    _, wall = _restem(folder, "run", shape.config, *shape.flags)
    facts = json.loads(_restem(folder, "status", "latest", "--json")[0])
    ends: dict[tuple[int, str], float] = {}
    for line in facts["steps"]:
        step, _, name = line["step"].partition(" ")
        key = line["iteration"], name if step in ("generate", "score") else line["step"]
        ends[key] = max(ends.get(key, 0.0), line["ended"])
    # As in the simulation: a stage lasts from the end of the one before it.
    stages, before = {}, facts["started"]
    for key, end in ends.items():
        stages[key] = max(0.0, end - before)
        before = max(before, end)
    return RunTaken(facts["seconds"], wall, stages)


def _restem(folder: Path, *arguments: str) -> tuple[str, float]:
    variables = {**os.environ, "RESTEM_HOME": str(folder)}
    variables.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "flows.cli", *arguments]
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout, seconds
