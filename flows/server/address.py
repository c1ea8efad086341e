"""RESTEM_HOME/prefect/server.json: which server, worker and pages belong to this home.

A lean server of a plain `restem run` notes `address` and `pid` alone; `restem up` adds the rest:

    {"address": API, "pages": address, "pid": supervisor, "guard": ..., "server": ...,
     "worker": ..., "pages_pid": ..., "restarts": {"server": 0, ...}}

A process id alone may have been given to another process since, so a supervisor is known by the
start time of its process as well.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from tasks.dag.runtime import home

Note = dict[str, Any]


def folder() -> Path:
    """Where the station's files lie; made if missing, and then closed to other users."""
    path = home() / "prefect"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def read_note() -> Note:
    """What is noted, by a station or a lean server; empty when nothing is."""
    with contextlib.suppress(OSError, ValueError):
        note = json.loads((folder() / "server.json").read_text())
        if isinstance(note, dict) and "address" in note:
            return note
    return {}


def write_note(note: Note) -> None:
    """Replace the note; a reader sees the old one or the new one."""
    draft = folder() / ".server.json"
    draft.write_text(json.dumps(note))
    draft.replace(folder() / "server.json")


def station() -> Note | None:
    """The note of the station that is up in this home; None when none is."""
    note = read_note()
    if "pages" in note and started(note["pid"]) == note.get("started"):
        return note
    return None


def started(pid: int) -> int | None:
    """When a process started, in clock ticks after boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
