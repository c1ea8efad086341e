"""A folder that is exported to: whole or not there, and nobody else's files are lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.api.export.folder import Mark, exported
from tasks.errors import StepError, UserError
from tasks.paths import ROOT

MARK = Mark("policy", "run-1", 2, {})


def write(place: Path, text: str = "one", mark: Mark = MARK) -> None:
    with exported(place, mark) as draft:
        (draft / "deep").mkdir()
        (draft / "deep" / "weights").write_text(text)


def content(place: Path) -> str:
    return (place / "deep" / "weights").read_text()


def beside(place: Path) -> list[str]:
    return [path.name for path in place.parent.iterdir() if path != place]


def test_an_earlier_export_of_the_same_thing_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "out"
    write(place)
    write(place, "two")
    assert content(place) == "two"
    assert beside(place) == []


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert content(tmp_path / "out") == "one"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda place: (place / "notes.txt").write_text("mine"), "notes.txt was put there"),
        (lambda place: (place / "deep" / "weights").write_text("mine"), "weights was put there"),
        (lambda place: (place / Mark.FILE).unlink(), "is no export"),
        (lambda place: (place / Mark.FILE).write_text("{}"), "is no export"),
    ],
)
def test_what_somebody_put_there_is_not_lost(tmp_path: Path, change, said: str) -> None:
    place = tmp_path / "out"
    write(place)
    change(place)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=said):
        write(place, "two")
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert beside(place) == []


@pytest.mark.parametrize("other", [Mark("rows", "run-1", 2, {}), Mark("policy", "run-1", 1, {})])
def test_an_export_of_another_thing_stays(tmp_path: Path, other: Mark) -> None:
    write(tmp_path / "out", mark=other)
    with pytest.raises(UserError, match="it holds the"):
        write(tmp_path / "out")


def test_a_file_in_the_place_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError):
        write(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "out"
    write(place)
    with pytest.raises(ZeroDivisionError), exported(place, MARK) as draft:
        (draft / "weights").write_text("half")
        raise ZeroDivisionError
    assert content(place) == "one"
    assert beside(place) == []


def test_no_room_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
        with pytest.raises(StepError, match="no room on the disk"):
            write(tmp_path / "out", "x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import sys, time
from pathlib import Path
from flows.api.export.folder import Mark, exported
with exported(Path(sys.argv[1]), Mark("policy", "run-1", 2, {})) as draft:
    (draft / "half").write_text("half")
    Path(sys.argv[2]).touch()
    time.sleep(600)
"""


def test_a_kill_leaves_what_was_there_and_its_draft_goes_at_the_next_export(
    tmp_path: Path,
) -> None:
    place, begun = tmp_path / "at" / "out", tmp_path / "begun"
    write(place)
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(place), str(begun)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while not begun.exists():
        assert child.poll() is None
        time.sleep(0.05)
    child.kill()
    child.wait()
    assert content(place) == "one"
    assert beside(place)
    write(place, "two")
    assert content(place) == "two"
    assert beside(place) == []


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    place = tmp_path / "at" / "out"
    write(place)
    place.rename(place.with_name(".restem-export-out~host~1~abc.old"))
    write(place, "two")
    assert content(place) == "two"
    assert beside(place) == []
