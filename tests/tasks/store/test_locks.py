"""Locks: one holder at a time, none left by a kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.errors import StepError
from tasks.paths import ROOT
from tasks.store.locks import alone, is_held, sweep_locks
from tasks.store.store import Store

HOLD = (
    "import sys, time; from pathlib import Path; from tasks.store.locks import alone\n"
    "with alone(Path(sys.argv[1])):\n print('held', flush=True); time.sleep(600)"
)


def _count(path: Path, counter: Path, times: int) -> None:
    for _ in range(times):
        with alone(path):
            number = int(counter.read_text())
            time.sleep(0.001)  # whoever else were inside would read the same number
            counter.write_text(str(number + 1))


def test_only_one_is_inside_at_a_time(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    each = [context.Process(target=_count, args=(tmp_path / "lock", counter, 25)) for _ in range(3)]
    for process in each:
        process.start()
    for process in each:
        process.join()
        assert process.exitcode == 0
    assert counter.read_text() == "75"
    assert not (tmp_path / "lock").exists()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    assert is_held(path)
    sweep_locks(tmp_path)
    assert path.exists()  # a living holder's file stays
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not is_held(path)
    sweep_locks(tmp_path)
    assert not path.exists()
    with alone(path):
        assert is_held(path)


def test_who_waits_is_told_once_and_comes_in(tmp_path: Path) -> None:
    told: list[str] = []
    inside = threading.Event()

    def second() -> None:
        with alone(tmp_path / "lock", lambda: told.append("waits")):
            inside.set()

    with alone(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        while not told:
            time.sleep(0.01)
        assert not inside.wait(0.5)
    thread.join()
    assert inside.is_set() and told == ["waits"]


def test_a_store_that_vanishes_is_waited_for_and_not_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.store.store.STORE_GONE_SECONDS", 600.0)
    store = Store(str(tmp_path / "store"), cache=tmp_path / "cache")
    with store.draft("kind", "key") as draft:
        (draft.path / "file").write_text("payload")
    again = Store(str(tmp_path / "store"), cache=tmp_path / "cache")
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").mkdir()  # as a disk's empty mount point
    seen = threading.Timer(1.0, lambda: _swap(tmp_path))
    seen.start()
    found = again.lookup("kind", "key")
    assert found is not None and found.rows == 0
    assert (tmp_path / "store" / "kind" / "key" / "file").read_text() == "payload"


def _swap(folder: Path) -> None:
    (folder / "store").rmdir()
    (folder / "away").rename(folder / "store")


def test_a_store_that_stays_away_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.store.store.STORE_GONE_SECONDS", 0.5)
    store = Store(str(tmp_path / "store"), cache=tmp_path / "cache")
    store.prepare()
    (tmp_path / "store").rename(tmp_path / "away")
    for use in (lambda: store.lookup("kind", "key"), lambda: store.claim("kind", "key")):
        with pytest.raises(StepError, match=r"store .* is gone"):
            use()
    with pytest.raises(StepError, match="is gone"), store.draft("kind", "key"):
        pass
    assert not (tmp_path / "store").exists()
