"""RESTEM_HOME/prefect/server.json: which server, worker and pages belong to this home."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.process_name import born
from tasks.dag.runtime import home
from tasks.durable import write_whole
from tasks.facts import Facts, is_object, read_json

# Where a browser finds the pages, for processes that a station starts.
PAGES_VARIABLE = "RESTEM_PAGES_URL"
_FILE = "server.json"


@dataclass(frozen=True, kw_only=True)
class ServerNote(Facts):
    """What the server of a plain `restem run` notes.

    Attributes:
        address: Of the API, such as http://127.0.0.1:4200/api.
        pid: Process that holds the server.
    """

    address: str
    pid: int


@dataclass(frozen=True, kw_only=True)
class StationNote(ServerNote):
    """What the station of `restem up` notes; `pid` is its supervisor's.

    A process id alone may have been given to another process since, so the supervisor is known by
    the start time of its process as well.

    Attributes:
        pages: Address of the reports.
        started: When the supervisor started, in clock ticks after boot.
        guard: Process id, as the three that follow; 0 while there is none.
        restarts: How often each part was started again.
    """

    pages: str
    started: int | None = None
    guard: int = 0
    server: int = 0
    worker: int = 0
    pages_pid: int = 0
    restarts: dict[str, int] = field(default_factory=dict)


def folder() -> Path:
    """Where the station's files lie; made if missing, and then closed to other users."""
    path = home() / "prefect"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def read_note() -> ServerNote | None:
    """What is noted, a `StationNote` if by a station; None when nothing is, or it is broken."""
    path = folder() / _FILE
    with contextlib.suppress(OSError, ValueError):
        noted = read_json(path)
        is_station = is_object(noted) and "pages" in noted
        return (StationNote if is_station else ServerNote).from_json(noted, str(path))
    return None


def write_note(note: ServerNote) -> None:
    """Replace the note; a reader sees the old one or the new one."""
    write_whole(folder() / _FILE, json.dumps(note.to_json()))


def remove_note() -> None:
    """The station has ended."""
    (folder() / _FILE).unlink(missing_ok=True)


def station() -> StationNote | None:
    """The note of the station that is up in this home; None when none is."""
    note = read_note()
    if isinstance(note, StationNote) and started(note.pid) == note.started:
        return note
    return None


def pages_address() -> str:
    """Where a browser finds the pages of this home's station; "" where none is up."""
    if given := os.environ.get(PAGES_VARIABLE):
        return given.rstrip("/")
    found = station()
    return found.pages if found else ""


def started(pid: int) -> int | None:
    """When a process started, in clock ticks after boot; None when it is gone or a zombie."""
    return born(pid)
