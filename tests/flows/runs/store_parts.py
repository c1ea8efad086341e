"""Homes, runs and artifacts of a store, made without an engine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.runs.journal import REACHED, Journal
from flows.runs.store_use import in_use
from tasks.paths import ROOT
from tasks.store.manifest import ArtifactRef, Provenance, Stats
from tasks.store.store import Store

DAY = 24 * 3600.0
# A run of another process: says that it holds the store, and ends at a line of input.
_RUN = """
import sys
from flows.runs.store_use import in_use
from tasks.dag.runtime import open_store
from tasks.settings import Resources
store = open_store(Resources(store=sys.argv[1]))
with in_use(store, sys.argv[2], lambda text: print(text, flush=True)):
    print("holds", flush=True)
    sys.stdin.readline()
"""


def put(store: Store, kind: str, key: str, *made_from: ArtifactRef) -> ArtifactRef:
    """An artifact with its inputs."""
    inputs = {str(number): one for number, one in enumerate(made_from)}
    with store.draft(kind, key) as draft:
        (draft.path / "payload.txt").write_text(f"{kind} {key}")
        draft.stats = Stats(provenance=Provenance("step", 1, key, {}, inputs, {}, {}))
    ref = store.lookup(kind, key)
    assert ref is not None
    return ref


def age(folder: Path, seconds: float = 2 * DAY) -> None:
    """Let all below a folder be as old as that."""
    then = time.time() - seconds
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (then, then), follow_symlinks=False)


def journal(run: str, address: str, *locations: str) -> None:
    """The journal of a run of this home that ended."""
    made = Journal(run, {"resources": {"store": address}}, "rest-em")
    (made.folder / REACHED).write_text("".join(f"{one}\n" for one in locations))
    made.end("completed")


def has_run(store: Store, run: str, *locations: str) -> None:
    """A run of this home, from its begin to its end."""
    with in_use(store, run, lambda _: None):
        journal(run, store.address, *locations)


@contextmanager
def at_work(home: Path, address: str, run: str) -> Iterator[subprocess.Popen[str]]:
    """A run of another process that holds the store."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, address, run],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Homes:
    """Two homes; one is in use at a time."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._patch = folder, patch

    def use(self, name: str) -> Path:
        """Be in a home."""
        self._patch.setenv("RESTEM_HOME", str(self._folder / name))
        return self._folder / name
