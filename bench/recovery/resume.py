"""`restem bench resume`: SIGKILL at random moments, the same command again, equal digests.

A run is killed over and over, alternately the whole process tree and the main process alone (its
children must then end by themselves), and started again each time with the same command. Compared
with an undisturbed run elsewhere: the digest of every artifact. Counted: artifacts that were
committed and made again (none may be), drafts in flight at a kill (at most UNDER_WAY), processes
and temporary folders left.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from flows.machines.local import IN_FLIGHT
from tasks.paths import ROOT
from tests.small import SMALL

# After a SIGKILL of the main process alone, its children notice in seconds, or later if others are
# busy.
GONE_SECONDS = 120.0
# Steps that may be under way at once: shards in sampling, and one in scoring.
UNDER_WAY = IN_FLIGHT + 1


@dataclass
class ResumeTally:
    """What happened over all kills."""

    kills: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    remade: list[str] = field(default_factory=list)
    most_in_flight: int = 0
    survivors: int = 0


def run(kills: str = "24", seed: str = "1", domain: str = "math") -> float:
    """Kill a demo at least `kills` times and compare; raises SystemExit(1) on any difference."""
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as stormy:
        started = time.perf_counter()
        _command(Path(calm), domain).wait()
        seconds = time.perf_counter() - started
        expected = digests(Path(calm))
        print(f"undisturbed: {seconds:.0f} s, {len(expected)} artifacts", flush=True)
        started = time.perf_counter()
        moments = choose_moments(Path(calm), int(kills), random.Random(int(seed)))
        tally = storm(Path(stormy), moments, domain)
        disturbed = time.perf_counter() - started
        found = digests(Path(stormy))
        left = leftovers(Path(stormy))
    different = sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))
    where = ", ".join(f"{step} {count}" for step, count in sorted(tally.steps.items()))
    print(f"kills: {tally.kills} (during {where})")
    print(f"artifacts that differ from the undisturbed run: {len(different)} {different[:5]}")
    print(f"committed artifacts made again: {len(tally.remade)} {tally.remade[:5]}")
    print(f"most drafts in flight at a kill: {tally.most_in_flight}")
    print(f"processes left after a kill: {tally.survivors}; temporary folders left: {left}")
    bad = different or tally.remade or tally.survivors or left
    ok = not bad and tally.most_in_flight <= UNDER_WAY
    if not ok or not expected:
        raise SystemExit(1)
    print(f"resume ratio={disturbed / seconds:.2f}")
    return disturbed / seconds


def choose_moments(calm: Path, kills: int, dice: random.Random) -> list[tuple[int, float]]:
    """Random moments, uniform over the undisturbed run's work, in their order.

    Returns:
        For each: how many artifacts are committed by then, and seconds into the next step.
    """
    journal = next((calm / "runs").glob("*/steps.jsonl"))
    steps = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    ends = sorted(step["ended"] for step in steps)
    begin = min(step["ended"] - step["took"] for step in steps)
    moments = []
    for point in sorted(dice.uniform(begin, ends[-1]) for _ in range(kills)):
        number = sum(end <= point for end in ends)
        moments.append((number, point - (ends[number - 1] if number else begin)))
    return moments


def storm(home: Path, moments: list[tuple[int, float]], domain: str = "math") -> ResumeTally:
    """Kill and restart at every moment, then let the run end."""
    tally = ResumeTally()
    for commits, seconds in moments:
        before = _commits(home)
        process = _command(home, domain)
        if _wait_for_work(process, home, commits):
            _wait_for_moment(process, home, commits, seconds)
        if process.poll() is not None:
            break  # it was the last step
        _kill(process, whole=tally.kills % 2 == 0)
        tally.kills += 1
        tally.survivors += _survivors(home)
        drafts = [path.name for path in (home / "store" / ".drafts").glob("*")]
        tally.most_in_flight = max(tally.most_in_flight, len(drafts))
        step = drafts[0].split("~")[0] if drafts else "between steps"
        tally.steps[step] = tally.steps.get(step, 0) + 1
        after = _commits(home)
        tally.remade += [k for k, made in before.items() if after.get(k) != made]
    code = _command(home, domain).wait()
    if code:
        raise SystemExit(f"the last run ended with exit code {code}")
    tally.survivors += _survivors(home)
    return tally


def digests(home: Path) -> dict[str, str]:
    """Digest of every artifact in a home's store."""
    return {
        f"{path.parent.parent.name}/{path.parent.name}": json.loads(
            path.read_text(encoding="utf-8")
        )["digest"]
        for path in (home / "store").glob("[!.]*/*/manifest.json")
    }


def leftovers(home: Path) -> int:
    """Drafts and work folders that nobody will use again."""
    return sum(1 for name in ("store/.drafts", "work", "cache") for _ in (home / name).glob("*"))


def _command(home: Path, domain: str) -> subprocess.Popen[bytes]:
    flags = [part for change in SMALL for part in ("--set", change)]
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "demo", "--domain", domain, *flags],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for_work(process: subprocess.Popen[bytes], home: Path, commits: int) -> bool:
    """Until so many artifacts are there and a step is at work; False when the run ended first."""
    while process.poll() is None:
        at_work = any((home / "store" / ".drafts").glob(f"*~{process.pid}~*"))
        if at_work and len(_commits(home)) >= commits:
            return True
        time.sleep(0.02)
    return False


def _wait_for_moment(
    process: subprocess.Popen[bytes], home: Path, commits: int, seconds: float
) -> None:
    """Wait, but not over the end of the step, which may be quicker than in the undisturbed run."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None and len(_commits(home)) <= commits:
        time.sleep(0.02)


def _kill(process: subprocess.Popen[bytes], *, whole: bool) -> None:
    victims = [process.pid]
    if whole:
        victims += [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def _survivors(home: Path) -> int:
    """Processes that still belong to this home after the time they have to go."""
    deadline = time.monotonic() + GONE_SECONDS
    while (left := _processes(home)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return len(left)


def _processes(home: Path) -> list[int]:
    mark = f"RESTEM_HOME={home}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if mark in environment and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found


def _commits(home: Path) -> dict[str, int]:
    # Not what lies in .drafts, and may be gone before it is looked at.
    return {
        str(path.parent.relative_to(home)): path.stat().st_mtime_ns
        for path in (home / "store").glob("[!.]*/*/manifest.json")
    }
