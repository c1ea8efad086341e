"""`restem up --foreground`: a station that lives as long as this command, for a service manager.

systemd waits for "READY=1" (Type=notify), ends the command with SIGTERM, and starts it again if it
fails. It has failed if the station ended by itself; `restem down` in a terminal is no failure.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable

from flows.server.address import StationNote, folder, read_note, station
from flows.station.register import alone
from flows.station.station import down, up
from tasks.errors import StepError, UserError

_NOTIFY = "NOTIFY_SOCKET"


def stay(port: int, pages: int, show: Callable[[StationNote, list[str]], None]) -> None:
    """Start a station, and end it when this process is asked to end.

    Args:
        port: Of the UI.
        pages: Of the reports.
        show: Told the station and its deployments once all is up.

    Raises:
        UserError: a station is up already, or a port is taken.
        StepError: it did not start, or ended by itself.
    """
    if found := station():
        raise UserError(
            f"up --foreground: a station is up already (process {found.pid}); `restem down` first"
        )
    # What a station starts is not the service's main process and has nothing to tell.
    manager = os.environ.pop(_NOTIFY, "")
    try:
        note, deployments = up(port, pages)
        show(note, deployments)
        _tell(manager, "READY=1")
        guard = os.pidfd_open(note.guard)
        try:
            select.select([guard], [], [])
        finally:
            os.close(guard)
    except KeyboardInterrupt:  # SIGTERM as well (flows/cli/main.py)
        _tell(manager, "STOPPING=1")
        down()
        return
    with alone():  # a `restem down` that ended it takes its note away before it gives this back
        if read_note() is not None:
            raise StepError(f"the station ended by itself (log: {folder() / 'supervisor.log'})")


def _tell(manager: str, state: str) -> None:
    """Tell a service manager, if there is one, by the protocol of sd_notify."""
    if manager:
        address = "\0" + manager[1:] if manager.startswith("@") else manager
        # One that listens no more does not keep the station from its end.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.connect(address)
            to.sendall(state.encode())
