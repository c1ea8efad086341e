"""`restem bench garbage`: how long `restem store gc --delete` takes for many artifacts.

A local store is filled with artifacts that no run needs, each of a manifest and two files, and
cleaned by the command itself: lock, roots, ages, Prefect's records and all. The baseline of the
same run is `shutil.rmtree` of the folders of an equal store, one by one, which knows of none of
that. It removes a fiftieth of them, because disks that are told of each freed block take long.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tasks.paths import ROOT
from tasks.store.store import Store

PART = 50
KINDS = ("samples", "verdicts", "rows")


def run(count: str = "100000") -> float:
    """Clean `count` artifacts and remove folders; prints the seconds of both, and their ratio."""
    artifacts = int(count)
    with tempfile.TemporaryDirectory() as folder:
        home, plain = Path(folder) / "home", Path(folder) / "plain"
        fill(home / "store", artifacts)
        part = max(1, artifacts // PART)
        fill(plain, part)
        records = home / "results"
        records.mkdir()
        for number in range(artifacts):
            (records / f"generate-{number:032x}").touch()
        os.sync()
        before = os.times()
        cleaned = _clean(home, artifacts)
        after = os.times()
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        os.sync()
        started = time.perf_counter()
        for kind in KINDS:
            for one in os.scandir(plain / kind):
                shutil.rmtree(one.path)
        removed = (time.perf_counter() - started) * artifacts / part
    print(
        f"store gc --delete: {cleaned:.1f} s ({cpu:.1f} s of processors) for {artifacts:,} "
        "artifacts and their records"
    )
    print(f"shutil.rmtree of each folder: {removed:.1f} s, from {part:,} of them")
    print(f"garbage ratio={cleaned / removed:.2f}")
    return cleaned / removed


def fill(store: Path, artifacts: int) -> None:
    """Make a store of so many artifacts that nobody needs."""
    Store(str(store), cache=store.parent / "cache").prepare()
    for kind in KINDS:
        (store / kind).mkdir()
    manifest = b"{" + b" " * 2000 + b"}"
    for number in range(artifacts):
        place = f"{store}/{KINDS[number % len(KINDS)]}/{number:032x}"
        os.mkdir(place)
        for name, content in (("a.parquet", b"1"), ("b.json", b"{}"), ("manifest.json", manifest)):
            with open(f"{place}/{name}", "wb") as file:
                file.write(content)


def _clean(home: Path, artifacts: int) -> float:
    """Seconds of the command."""
    command = [sys.executable, "-m", "flows.cli", "store", "gc", "--delete"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--older-than", "0", "--json"],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(home)},
        capture_output=True,
        check=True,
    )
    seconds = time.perf_counter() - started
    left = [one for kind in KINDS for one in os.scandir(home / "store" / kind)]
    if left or any((home / "results").iterdir()):
        raise SystemExit(f"{len(left)} artifacts are left")
    if len(json.loads(done.stdout)["garbage"]) != artifacts:
        raise SystemExit("not all of the artifacts were found")
    return seconds
