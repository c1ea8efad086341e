"""One damaged run is said and passed over; the others are found, shown and kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.runs.journal import (
    HEAD,
    LOCK,
    REACHED,
    STEPS,
    Journal,
    at_work,
    find_run,
    newest_heads,
    reached,
    read_head,
    read_journal,
)
from flows.station.pages.runs import runs_page
from flows.station.reaper import _ended_here  # pyright: ignore[reportPrivateUsage]
from tasks.errors import StepError, UserError
from tasks.facts import WrongFacts
from tests.flows.runs.test_journal import LINE


@pytest.fixture
def bad(home: Path) -> Path:
    """The folder of the newer one of two runs."""
    for name in ("good", "bad"):
        journal = Journal(name, {}, "rest-em")
        journal.step(LINE)
        journal.end("completed")
    for age, name in enumerate(("bad", "good")):
        path = home / "runs" / name / HEAD
        os.utime(path, (1e9 - age, 1e9 - age))
    return home / "runs" / "bad"


def _keep_time(path: Path) -> None:
    os.utime(path, (1e9, 1e9))


def _text(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)
        _keep_time(path)

    return write


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    _keep_time(path)


def _huge(path: Path) -> None:
    os.truncate(path, 300_000_000_000)
    _keep_time(path)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    _keep_time(path)


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def _looping(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DAMAGE = {
    "torn": _text(b'{"run": "bad", "state": "comp'),
    "empty": _text(b""),
    "no object": _text(b"[1, 2]"),
    "wrong types": _text(b'{"run": 1, "state": "running", "pid": "x", "started": 0, "config": 3}'),
    "unknown state": _text(b'{"run": "bad", "state": "x", "pid": 1, "started": 0, "config": {}}'),
    "not UTF-8": _text(b'{"run": "\xff\xfe"}'),
    "zeros": _text(b"\0" * 4096),
    "nested": _text(b'{"run": ' + b"[" * 200_000),
    "a large number": _text(b'{"run": ' + b"9" * 5000 + b"}"),
    "folder": _folder,
    "huge": _huge,
    "pipe": _pipe,
    "dangling": _dangling,
    "looping": _looping,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_the_others_are_found(
    bad: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(bad / HEAD)
    for flow in ("", "rest-em"):
        assert find_run("latest", flow).name == "good"
        said = capsys.readouterr().err
        # A link to nothing is no run.json at all.
        assert said == "" if damage in (_dangling, _looping) else said.count("\n") == 1
    assert read_journal("latest")[0].run == "good"
    assert read_journal("good")[0].run == "good"
    assert at_work() == []
    page = runs_page().body.decode()
    assert "good" in page and "completed" in page
    assert _ended_here() == set()  # both are of this process


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_it_is_named_by_whoever_asks_for_it(bad: Path, damage: Callable[[Path], None]) -> None:
    damage(bad / HEAD)
    with pytest.raises((UserError, StepError)) as found:
        read_journal("bad")
    assert "bad" in str(found.value)


@pytest.mark.parametrize("name", [STEPS, REACHED, LOCK])
def test_a_folder_in_the_place_of_another_file_stops_no_listing(bad: Path, name: str) -> None:
    (bad / name).unlink(missing_ok=True)
    (bad / name).mkdir()
    assert find_run("latest").name == "bad"
    assert at_work() == []
    assert len(newest_heads()) == 2


def test_a_time_that_is_none_stops_no_page(bad: Path) -> None:
    text = (bad / HEAD).read_text("utf-8")
    started = f'"started": {read_head(bad).started!r}'
    assert started in text
    (bad / HEAD).write_text(text.replace(started, '"started": 1e300'), encoding="utf-8")
    assert b"good" in runs_page().body


def test_what_a_run_reached_is_read_around_a_torn_line(bad: Path) -> None:
    with (bad / REACHED).open("ab") as file:
        file.write(b"\xff\xfe/rows/x\n\0\0\0\nrows/0123\n")
    assert "rows/0123" in reached(bad)


def test_a_journal_of_no_use_is_an_error_with_its_name(bad: Path) -> None:
    (bad / STEPS).write_bytes(b'{"iteration": "\xff"}\n')
    with pytest.raises(WrongFacts, match=r"bad/steps\.jsonl"):
        read_journal("bad")
