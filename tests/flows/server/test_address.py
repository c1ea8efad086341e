"""server.json: what a station and a lean server note is read back, and what is broken is not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from flows.server.address import (
    ServerNote,
    StationNote,
    folder,
    read_note,
    remove_note,
    started,
    station,
    write_note,
)

API = "http://127.0.0.1:4200/api"
PAGES = "http://127.0.0.1:4201"


@pytest.mark.parametrize(
    "note",
    [
        ServerNote(address=API, pid=7),
        StationNote(address=API, pid=7, pages=PAGES, started=9, restarts={"server": 1}),
    ],
)
def test_a_note_is_read_back(home: Path, note: ServerNote) -> None:
    write_note(note)
    assert read_note() == note
    remove_note()
    assert read_note() is None


def test_a_lean_servers_note_has_two_fields(home: Path) -> None:
    write_note(ServerNote(address=API, pid=7))
    assert json.loads((folder() / "server.json").read_text()) == {"address": API, "pid": 7}


def test_a_note_of_an_older_version_is_read(home: Path) -> None:
    (folder() / "server.json").write_text(json.dumps({"address": API, "pid": 7, "pages": PAGES}))
    assert read_note() == StationNote(address=API, pid=7, pages=PAGES)


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"pid": 7}', '{"address": 1, "pid": 7}'])
def test_a_broken_note_is_none(home: Path, text: str) -> None:
    (folder() / "server.json").write_text(text)
    assert read_note() is None


def test_a_station_is_up_while_its_supervisor_lives(home: Path) -> None:
    mine = StationNote(address=API, pid=os.getpid(), pages=PAGES, started=started(os.getpid()))
    write_note(mine)
    assert station() == mine
    write_note(StationNote(address=API, pid=os.getpid(), pages=PAGES, started=1))
    assert station() is None
    write_note(ServerNote(address=API, pid=os.getpid()))
    assert station() is None
