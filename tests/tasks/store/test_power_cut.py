"""The power fails while an artifact is committed: it is whole or not there, and there once said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.store.store import Damage, Store
from tests.recording import Recorded, record, traced

STORE = "home/store"
# What no reader of an artifact looks into.
UNREAD = (".drafts", ".locks")
PRELUDE = """
import sys
from pathlib import Path
from tasks.store.store import Damage, Store

disk = Path(sys.argv[1])
store = Store(str(disk / "home/store"), cache=disk / "cache")

def commit(kind, key):
    with store.draft(kind, key) as draft:
        (draft.path / "a.txt").write_text(kind + key)
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "b.bin").write_bytes(bytes(range(256)) * 40)
        (draft.path / "seconds.txt").write_text("1.5")
        draft.volatile, draft.rows = {"seconds.txt"}, 3
    print(f"done: {kind}/{key}", flush=True)
"""
COMMITS = f"""{PRELUDE}
commit("samples", "aaa")
commit("samples", "bbb")
commit("verdicts", "ccc")
"""
HEAL = f"""{PRELUDE}
try:
    store.lookup("samples", "aaa")
except Damage:
    commit("samples", "aaa")
"""
HEAL_AFTER_DISCARD = f"""{PRELUDE}
try:
    store.lookup("samples", "aaa")
except Damage:
    store.discard("samples", "aaa")
    commit("samples", "aaa")
"""
# The second looks whether it is there as soon as the first has put it there, synced or not.
TWO = f"""{PRELUDE}
import os, time
class Second(Store):
    def lookup(self, kind, key):
        while not (disk / "home/store/samples/aaa").exists():
            time.sleep(0.001)
        return super().lookup(kind, key)
commit("samples", "bbb")
if first := os.fork():
    store.__class__ = Second
commit("samples", "aaa")
if first:
    os.waitpid(first, 0)
"""

pytestmark = pytest.mark.usefixtures("strace")


def look(disk: Path, said: list[str]) -> None:
    """Each artifact is whole or not there; what was said is there; the rest can be made."""
    store = Store(str(disk / STORE), cache=disk / "cache")
    for location in ("samples/aaa", "samples/bbb", "verdicts/ccc"):
        kind, key = location.split("/")
        ref = store.lookup(kind, key)
        assert ref is not None or location not in said, f"{location} is lost"
        if ref is not None:
            assert (store.path(ref) / "a.txt").read_text() == kind + key
    assert {"/".join(found) for found in store.entries()} >= set(said)


def damaged(place: Path) -> Path:
    """A disk with an artifact of which a file is torn."""
    disk = place / "disk"
    disk.mkdir()
    run = [sys.executable, "-c", f"{PRELUDE}\ncommit('samples', 'aaa')", str(disk)]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    (disk / STORE / "samples/aaa/a.txt").write_text("sam")
    return disk


def look_at_healed(disk: Path, said: list[str]) -> None:
    """The old damage may be there until the new one is said to be."""
    store = Store(str(disk / STORE), cache=disk / "cache")
    try:
        ref = store.lookup("samples", "aaa")
    except Damage:
        assert not said, "the damage is back"
    else:
        assert ref is not None or not said, "it is lost"


def recorded(code: str, disk: Path, strace: str = "") -> Recorded:
    disk.mkdir(exist_ok=True)
    found = record(code, disk, str(disk), ignored=UNREAD, strace=strace)
    assert found.status == 0, found.output
    return found


def test_commits(tmp_path: Path) -> None:
    found = recorded(COMMITS, tmp_path / "disk")
    assert [text for _, text in found.said] == ["samples/aaa", "samples/bbb", "verdicts/ccc"]
    found.check(look)


@pytest.mark.parametrize("code", [HEAL, HEAL_AFTER_DISCARD], ids=["over", "after discard"])
def test_a_commit_in_the_place_of_damage(code: str, tmp_path: Path) -> None:
    found = recorded(code, damaged(tmp_path))
    assert len(found.said) == 1
    found.check(look_at_healed)


def test_two_processes_commit_one_artifact(tmp_path: Path) -> None:
    # Syncs are slow, so the second one sees what the first has not yet synced.
    found = recorded(TWO, tmp_path / "disk", "-e inject=fsync:delay_enter=50000")
    assert [text for _, text in found.said] == ["samples/bbb", "samples/aaa", "samples/aaa"]
    found.check(look)


def test_a_disk_that_fails_to_sync_fails_the_commit(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    run = traced(COMMITS, str(disk), strace="-e trace=fsync -e inject=fsync:error=EIO:when=5+")
    assert run.returncode != 0
    assert "Input/output error" in run.stdout and "done" not in run.stdout


def test_a_file_system_without_syncs_of_folders_is_good_enough(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / STORE / "samples").mkdir(parents=True)
    folders = " ".join(f"-P {disk / name}" for name in (STORE, f"{STORE}/samples"))
    run = traced(COMMITS, str(disk), strace=f"{folders} -e inject=fsync:error=EINVAL")
    assert run.returncode == 0, run.stdout
    assert "EINVAL" in run.stdout and "done: verdicts/ccc" in run.stdout
