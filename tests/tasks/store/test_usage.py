"""Who uses a store: by `flock` on this machine, by leases of the store's clock everywhere else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.store.store import Store
from tasks.store.usage import LEASE_SECONDS, LEASES, Lease, Usage

RUN = Lease.of_this_process("run", "run-1", "home-1")
CLEANING = Lease.of_this_process("cleaning", "restem store gc", "home-2")
ELSEWHERE = replace(RUN, host="elsewhere", kernel="another kernel", pid=7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Store(str(tmp_path / "store"), cache=tmp_path / "cache").prepare()
    return tmp_path / "store"


def usage(folder: Path, *, flock: bool = True) -> Usage:
    """A store's users; without flock, as on an object store or some network folders."""
    seen = Store(str(folder), cache=folder.parent / "cache").place.usage
    return seen if flock else replace(seen, folder=None)


def leave(folder: Path, lease: Lease, seconds: float = 0.0, name: str = "left") -> Path:
    """A lease that was written so long ago and never removed."""
    path = folder / LEASES / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(lease.to_json()))
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def quiet(_: str) -> None:
    raise AssertionError("there is nothing to say")


def nothing() -> None:
    pass


@pytest.mark.parametrize("flock", [True, False])
def test_runs_use_a_store_side_by_side_and_leave_nothing(folder: Path, flock: bool) -> None:
    of = usage(folder, flock=flock)
    with of.by_run(RUN, quiet, nothing), of.by_run(ELSEWHERE, quiet, nothing):
        assert len(list((folder / LEASES).iterdir())) == 2
    assert list((folder / LEASES).iterdir()) == []
    with of.by_cleaning(CLEANING):
        assert len(list((folder / LEASES).iterdir())) == 1
    assert list((folder / LEASES).iterdir()) == []


@pytest.mark.parametrize("flock", [True, False])
def test_a_cleaning_refuses_beside_a_run(folder: Path, flock: bool) -> None:
    of = usage(folder, flock=flock)
    with (
        of.by_run(RUN, quiet, nothing),
        pytest.raises(UserError, match=rf"run-1 \(process {os.getpid()} on .*, since \d{{4}}-"),
        of.by_cleaning(CLEANING),
    ):
        pass
    with of.by_cleaning(CLEANING):
        pass


@pytest.mark.parametrize("flock", [True, False])
def test_of_two_cleanings_one_goes_on(folder: Path, flock: bool) -> None:
    of = usage(folder, flock=flock)
    with (
        of.by_cleaning(CLEANING),
        pytest.raises(UserError, match="used by restem store gc"),
        of.by_cleaning(CLEANING),
    ):
        pass


def test_a_run_of_another_machine_counts_for_five_minutes(folder: Path) -> None:
    of = usage(folder)
    leave(folder, ELSEWHERE, LEASE_SECONDS - 120)
    with (
        pytest.raises(UserError, match=r"run-1 \(process 7 on elsewhere"),
        of.by_cleaning(CLEANING),
    ):
        pass
    left = leave(folder, ELSEWHERE, LEASE_SECONDS + 1)
    with of.by_cleaning(CLEANING):
        assert not left.exists()


def test_a_killed_run_of_this_machine_counts_no_more(folder: Path) -> None:
    left = leave(folder, RUN)
    with usage(folder).by_cleaning(CLEANING):
        assert not left.exists()
    leave(folder, RUN)
    with (
        pytest.raises(UserError, match="run-1"),
        usage(folder, flock=False).by_cleaning(CLEANING),  # nothing tells that it is dead
    ):
        pass


def test_a_run_waits_for_a_cleaning_of_another_machine(folder: Path) -> None:
    left = leave(folder, replace(CLEANING, host="elsewhere", kernel="another kernel"))
    told: list[str] = []

    def end(text: str) -> None:
        told.append(text)
        left.unlink()

    with usage(folder).by_run(RUN, end, nothing):
        assert len(told) == 1 and "cleaned by restem store gc" in told[0]


def test_a_lease_is_written_again_while_its_run_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.store.usage.RENEW_SECONDS", 0.01)
    times = threading.Semaphore(0)
    with usage(folder).by_run(RUN, quiet, times.release):
        [lease] = (folder / LEASES).glob("*.json")
        os.utime(lease, (0, 0))
        while times.acquire(blocking=False):
            pass
        # The first may have been written before that, the second was begun after it.
        assert times.acquire(timeout=300) and times.acquire(timeout=300)
        assert lease.stat().st_mtime > 0


@pytest.mark.parametrize("text", ["", "[", '{"what": 1}', "[" * 100_000])
def test_a_lease_of_an_unknown_form_counts_as_a_runs(folder: Path, text: str) -> None:
    left = leave(folder, ELSEWHERE)
    left.write_text(text)
    with pytest.raises(UserError, match=r"left\.json"), usage(folder).by_cleaning(CLEANING):
        pass
    with usage(folder).by_run(RUN, quiet, nothing):
        pass
    then = time.time() - LEASE_SECONDS - 1
    os.utime(left, (then, then))
    with usage(folder).by_cleaning(CLEANING):
        assert not left.exists()


def test_an_unmounted_store_is_not_written(folder: Path) -> None:
    of = usage(folder)
    folder.rename(folder.with_name("away"))
    folder.mkdir()
    with pytest.raises(UserError, match="is no store"), of.by_cleaning(CLEANING):
        pass
    assert not (folder / LEASES).exists()


_CHILD = """
import os, sys, time
from pathlib import Path
from tasks.store.store import Store
from tasks.store.usage import Lease
store = Store(sys.argv[1], cache=Path(sys.argv[1]).parent / "cache")
lease = Lease.of_this_process("run", "run-1", "home")
with store.place.usage.by_run(lease, print, lambda: None):
    child = os.fork()
    if not child:
        time.sleep(600)
    print(child, flush=True)
    sys.stdin.readline()
print("ended", flush=True)
sys.stdin.readline()
"""


def test_a_child_that_outlives_the_use_does_not_hold_the_store(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    child = int(process.stdout.readline())
    try:
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ended\n"
        with usage(folder).by_cleaning(CLEANING):
            pass
    finally:
        os.kill(child, 9)
        process.kill()
        process.wait()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write there: a mode for most, another user for root, whom modes do not bind."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_store_that_cannot_be_written_says_so_and_is_held_all_the_same() -> None:
    with ExitStack() as stack:
        parent = Path(tempfile.mkdtemp())  # where every user may go
        stack.callback(shutil.rmtree, parent)
        parent.chmod(0o755)
        store = Store(str(parent / "store"), cache=parent / "cache")
        store.prepare()
        of = store.place.usage
        with of.by_cleaning(CLEANING):
            pass
        told: list[str] = []
        stack.enter_context(read_only(parent / "store"))
        with of.by_run(RUN, told.append, nothing):
            assert len(told) == 1 and "cannot be written" in told[0]
            with pytest.raises(UserError, match="a run that just begins"), of.by_cleaning(CLEANING):
                pass
        with pytest.raises(UserError, match=r"--delete: .*ermission"), of.by_cleaning(CLEANING):
            pass
