"""Drafts are swept when their process is gone, and never where nothing is known of it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.process_name import ProcessName
from tasks.paths import ROOT
from tasks.store.draft_owner import OLD_DRAFT_SECONDS, draft_name, draft_owner
from tasks.store.store import Store

MINE = ProcessName.own()
MACHINE, BOOT, SPACE = MINE.place.split(".")
# A process id that no process of this machine has (PID_MAX_LIMIT is 2^22).
NO_PID = 2**22 + 7


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"), cache=tmp_path / "cache")


def make(tmp_path: Path, name: str, age: float = 0.0) -> Path:
    draft = tmp_path / "store" / ".drafts" / name
    draft.mkdir(parents=True)
    (draft / "rows").write_text("half")
    written = time.time() - age
    for path in (draft / "rows", draft):
        os.utime(path, (written, written))
    return draft


def named(place: str = MINE.place, pid: int = MINE.pid, born: int = MINE.born) -> str:
    return f"kind~key~{ProcessName(place, pid, born)}~0123abcd"


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        (named(), False),
        (named(pid=NO_PID), True),
        (named(born=MINE.born - 1), True),  # the id was given to another process
        (named(born=MINE.born - 1) + ".old", True),
        (named(place=f"{MACHINE}.{BOOT}.4026539999", pid=NO_PID), False),
        (named(place=f"{MACHINE}.{'0' * 11}1.4026539999", pid=NO_PID), False),
        (named(place=f"0badc0de.{'0' * 11}1.{SPACE}", pid=NO_PID), False),
        (named(place="0.0.0", pid=NO_PID), False),
        ("kind~key~nonsense~of~somebody", False),
    ],
    ids=[
        "living owner",
        "dead owner",
        "its id used again",
        "what it put away",
        "another namespace of this host",
        "a container of another boot",
        "another machine",
        "nothing known",
        "no name",
    ],
)
def test_whose_process_is_gone(store: Store, tmp_path: Path, name: str, goes: bool) -> None:
    draft = make(tmp_path, name, 10 * OLD_DRAFT_SECONDS)
    store.sweep_drafts()
    assert draft.exists() is not goes


@pytest.mark.skipif(SPACE != "4026531836", reason="in a container, of which no machine is known")
@pytest.mark.skipif(MACHINE == "0", reason="no /etc/machine-id")
def test_what_a_power_cut_left_goes_after_the_reboot(store: Store, tmp_path: Path) -> None:
    draft = make(tmp_path, named(place=f"{MACHINE}.{'0' * 11}1.{SPACE}"))
    assert store.sweep_drafts() == 1
    assert not draft.exists()


@pytest.mark.parametrize(
    ("host", "pid", "age", "goes"),
    [
        (platform.node(), NO_PID, 2 * OLD_DRAFT_SECONDS, True),
        (platform.node(), NO_PID, 60.0, False),  # perhaps of a container with our name
        (platform.node(), MINE.pid, 2 * OLD_DRAFT_SECONDS, False),
        ("elsewhere", NO_PID, 2 * OLD_DRAFT_SECONDS, False),
    ],
    ids=["ours", "young", "alive", "elsewhere"],
)
def test_names_of_before(
    store: Store, tmp_path: Path, host: str, pid: int, age: float, goes: bool
) -> None:
    draft = make(tmp_path, f"kind~key~{host}~{pid}~0123abcd", age)
    store.sweep_drafts()
    assert draft.exists() is not goes


def test_a_name_is_read_as_it_was_written() -> None:
    assert draft_owner(Path(draft_name("kind~key"))) == MINE
    assert ProcessName.of(str(MINE)) == MINE


def _unshare() -> list[str]:
    """A shell in a namespace of process ids of its own, with this host's name; where it works."""
    command = ["unshare", "--pid", "--fork", "--mount-proc"]
    for more in ([], ["--map-root-user"]):
        if shutil.which("unshare") and not subprocess.call(
            [*command, *more, "true"], stderr=subprocess.DEVNULL
        ):
            return [*command, *more]
    return []


@pytest.fixture
def in_another_namespace() -> Iterator[list[str]]:
    if not (command := _unshare()):
        pytest.skip("no namespaces of process ids here")
    yield command


def test_a_container_with_our_name_leaves_our_drafts(
    store: Store, tmp_path: Path, in_another_namespace: list[str]
) -> None:
    """Its process ids are small, so none of ours is there."""
    sweep = (
        "import sys; from pathlib import Path; from tasks.store.store import Store\n"
        "print(Store(sys.argv[1], cache=Path(sys.argv[1])).sweep_drafts())"
    )
    with store.draft("kind", "0123456789abcdef") as draft:
        (draft.path / "a").write_text("half")
        command = [*in_another_namespace, sys.executable, "-c", sweep, str(tmp_path / "store")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout == "0\n"
        assert (draft.path / "a").exists()
