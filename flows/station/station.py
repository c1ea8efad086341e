"""`restem up` and `restem down`: one server, worker and pages for one RESTEM_HOME.

`up` starts the supervisor under its guard, detached, waits for the server, and registers the work
pool, the deployments and the automations. Files under RESTEM_HOME/prefect: server.json (the note),
supervisor.log, server.log, worker.log, pages.log, runs.log.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from flows.server import access
from flows.server.address import (
    StationNote,
    folder,
    read_note,
    remove_note,
    started,
    station,
)
from flows.server.api import Api
from flows.server.database import mend_database
from flows.server.local import START_SECONDS, is_free, prefect_environment
from flows.server.machine_checks import check_machine
from flows.station.register import alone, register
from flows.station.supervisor import GRACE_SECONDS
from tasks.errors import StepError, UserError
from tasks.paths import GUARD, ROOT
from tasks.terminal import warn

_POLL = 0.1
_OTHERS = (access.API, access.CLIENT, access.SERVER)
# A server that ended so often at its start will do so again.
_DEATHS = 3
# A lean server ends half a second after its last run.
_LEAN_SECONDS = 5.0
# What the supervisor may take beyond the grace that it gives to runs.
_DOWN_SECONDS = GRACE_SECONDS + 20.0


def up(port: int, pages: int) -> tuple[StationNote, list[str]]:
    """Start the station, or find it up; `port` is the UI's, `pages` that of the reports.

    Returns:
        The station's note, and the names of its deployments.

    Raises:
        UserError: a port is taken, a run has a server of its own in this home, or the database
            cannot be used (flows/server/database.py).
        StepError: the server did not start; the message names the log.
    """
    prefect_environment()
    with alone():
        found = station()
        if found is None:
            _wait_for_lean_server()
            check_machine()
            access.new_server_secret()  # the supervisor finds it; its guard's environment lacks it
            _check_port("--port", port)
            _check_port("--pages", pages)
            if said := mend_database():
                warn(said)
        note = found or _start(port, pages)
        try:
            _wait_for(note)
        except StepError:
            if found is None:
                _end(note)
            raise
        access.join(note.address)
        return note, register(note.address, note.pages, fresh=found is None)


def down() -> bool:
    """End the station and its runs; whether there was one.

    Raises:
        StepError: something did not end.
    """
    with alone():
        note = station()
        if note is None:
            return False
        _end(note)
        return True


def _end(note: StationNote) -> None:
    try:
        guard = os.pidfd_open(note.guard)
        os.kill(note.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    # The guard ends last, when nothing that descends from it is left.
    if not select.select([guard], [], [], _DOWN_SECONDS)[0]:
        os.kill(note.pid, signal.SIGKILL)
        if not select.select([guard], [], [], GRACE_SECONDS)[0]:
            raise StepError(f"process {note.guard} does not end (log: {_log()})")
    os.close(guard)
    remove_note()


def _log() -> Path:
    return folder() / "supervisor.log"


def _wait_for_lean_server() -> None:
    """Two servers on one SQLite file fail; so a run's own server must have ended."""
    with (folder() / "users.lock").open("w", encoding="utf-8") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "up: a run in this RESTEM_HOME has a server of its own; wait for its end, or "
                "interrupt it and start it again after `restem up`"
            ) from None
    note = read_note()
    deadline = time.monotonic() + _LEAN_SECONDS
    while note and started(note.pid) and Api(note.address).healthy():
        if time.monotonic() > deadline:
            raise UserError(f"up: a server of this RESTEM_HOME still runs (process {note.pid})")
        time.sleep(_POLL)


def _check_port(flag: str, port: int) -> None:
    if not is_free(port):
        raise UserError(f"{flag} {port}: taken; expected a free port")


def _start(port: int, pages: int) -> StationNote:
    """Start the supervisor under its guard, and wait for its note."""
    lifeline, mine = os.pipe()
    # The supervisor holds the other end of the guard's lifeline, so that the guard ends with it.
    command = [sys.executable, "-SE", str(GUARD), str(lifeline), str(mine)]
    with _log().open("ab") as log:
        process = subprocess.Popen(
            [*command, sys.executable, "-m", "flows.station.supervisor", str(port), str(pages)],
            pass_fds=[lifeline, mine],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=ROOT,
            # Another server, in which this command was started, is not the station's; and the
            # secret lies in its file.
            env={k: v for k, v in os.environ.items() if k not in _OTHERS},
        )
    os.close(lifeline)
    os.close(mine)
    while True:
        note = station()
        if note and note.guard == process.pid:
            return note
        if process.poll() is not None:
            raise StepError(f"the supervisor ended at its start (log: {_log()})")
        time.sleep(_POLL)


def _wait_for(note: StationNote) -> None:
    api, deadline = Api(note.address), time.monotonic() + START_SECONDS
    while not api.healthy():
        now = station()
        dies = (
            now is None or now.restarts.get("server", 0) - note.restarts.get("server", 0) >= _DEATHS
        )
        if dies or time.monotonic() > deadline:
            raise StepError(f"the Prefect server did not start (log: {folder() / 'server.log'})")
        time.sleep(_POLL)
