"""A Prefect server for runs that were given none.

With PREFECT_API_URL set (a server of yours) that one is used, with your PREFECT_API_AUTH_STRING.
Otherwise the first run starts one on a free port, on a SQLite file under RESTEM_HOME, and later
runs join it. It lives as long as anybody holds the lock file, which the kernel releases however
they end; so nothing is left behind, not even after SIGKILL. (Prefect's own ephemeral server would
do, but two of them on one SQLite file print "database is locked" tracebacks.) `restem up` notes its
server in the same file, so that runs join that one. Whoever joins shows the secret of this home
(flows/server/access.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from flows.server import access
from flows.server.address import ServerNote, StationNote, read_note, station, write_note
from flows.server.address import folder as station_folder
from flows.server.database import database_address, mend_database
from flows.server.machine_checks import check_machine
from tasks.dag.runtime import home
from tasks.errors import StepError, UserError
from tasks.paths import GUARD, ROOT
from tasks.processes.capped_log import cap_log
from tasks.terminal import warn

# A hang guard: a server that died is seen at once. The first start migrates the database, which
# took over a minute on slow disks, and over three on a machine whose cores others had.
START_SECONDS = 480.0
SEND_SECONDS = 5.0
_POLL = 0.1
# Whoever connects to somewhere in the seconds before the server binds its port may be given it.
_PORT_TRIES = 3
# What a run by itself has no use for: schedules, work pools, automations. It leaves the processor
# to the run; recording events and task runs stays on, so that the UI shows them.
_IDLE_SERVICES = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)


def prefect_environment() -> None:
    """Point Prefect at RESTEM_HOME. Call it before Prefect is imported."""
    folder = home()
    defaults = {
        "PREFECT_HOME": folder / "prefect",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": folder / "results",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Our own lines tell a person how the run goes; the server keeps Prefect's log.
        "PREFECT_LOGGING_CONSOLE_COLORS": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_CLIENT_METRICS_ENABLED": "false",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, str(value))
    os.environ.update(database_address())
    with contextlib.suppress(OSError):  # where it matters it is said better
        Path(os.environ["PREFECT_HOME"]).mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def prefect_server(port: int = 0) -> Iterator[str]:
    """A server for the length of the block; yields its API address.

    Args:
        port: Where to start one; 0 is any free port.
    """
    prefect_environment()
    if given := os.environ.get(access.API):
        # Who names this home's own server, as Prefect's manual says, means it with its secret.
        if not os.environ.get(access.CLIENT) and (secret := access.secret_for(given)):
            os.environ[access.CLIENT] = secret
        yield given
        return
    folder = station_folder()
    with (folder / "users.lock").open("w", encoding="utf-8") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        address = _join_or_start(folder, port)
        with access.joined(address):
            try:
                yield address
            finally:
                _send_logs()


def _send_logs() -> None:
    """Wait for what Prefect logs in the background; once the server ends it could not be sent."""
    if "prefect.logging.handlers" in sys.modules:
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=SEND_SECONDS)


def _join_or_start(folder: Path, port: int) -> str:
    """The address of the shared server; one run at a time looks, so only one starts it."""
    with (folder / "start.lock").open("w", encoding="utf-8") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        if noted := read_note():
            address = noted.address
            # A station's server that was killed is started again by its supervisor; a second one on
            # the same file must not be.
            deadline = time.monotonic() + START_SECONDS
            while not _answers(address) and isinstance(noted, StationNote) and station():
                if time.monotonic() > deadline:
                    raise StepError(f"the server of `restem up` does not answer ({address})")
                time.sleep(_POLL)
            if _answers(address):
                return address
        check_machine()
        if said := mend_database():
            warn(said)
        for _ in range(_PORT_TRIES):
            if address := _start(folder, port):
                return address
        raise StepError("other programs took each free port before the Prefect server could")


def _start(folder: Path, wanted: int) -> str | None:
    """Start the shared server; its address, or None where its free port was taken meanwhile.

    Raises:
        UserError: the port that was asked for is taken.
        StepError: the server ended, or did not answer for long.
    """
    if wanted and not is_free(wanted):
        raise UserError(f"--port {wanted}: taken; expected a free port")
    port = wanted or _free_port()
    address = f"http://127.0.0.1:{port}/api"
    secret = access.new_server_secret()
    holder = subprocess.Popen(
        [sys.executable, "-m", "flows.server.local", str(port), "full" if wanted else "lean"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=ROOT,
        env={**os.environ, access.SERVER: secret},
    )
    deadline = time.monotonic() + START_SECONDS
    while not healthy(address):
        ended = holder.poll() is not None
        if ended and not wanted and not is_free(port):
            return None
        if ended or time.monotonic() > deadline:
            raise StepError(f"the Prefect server did not start (log: {folder / 'server.log'})")
        time.sleep(_POLL)
    write_note(ServerNote(address=address, pid=holder.pid))
    return address


def is_free(port: int) -> bool:
    """Whether a server may listen on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_is_there() -> bool:
    """Whether a run was given a server, or would find one that goes on without it."""
    if os.environ.get(access.API) or station() is not None:
        return True
    noted = read_note()
    return noted is not None and _is_used() and _answers(noted.address)


def _is_used() -> bool:
    """Whether another run holds the users' lock: a server that nobody holds is about to end."""
    with (station_folder() / "users.lock").open("w", encoding="utf-8") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _answers(address: str) -> bool:
    """Whether this home's server does, rather than somebody else's on its port."""
    return healthy(address) and access.is_ours(address)


def healthy(address: str) -> bool:
    """Whether a server answers there; it is told no secret."""
    from flows.server.api import Api  # loads a client of HTTP

    return Api(address, secret="").healthy()


def keep(port: int, *, full: bool) -> None:
    """Run the server until nobody holds the users' lock. The body of the process that holds it.

    Args:
        full: With schedules, work pools and automations.
    """
    folder = home() / "prefect"
    lifeline, mine = os.pipe()
    command = [sys.executable, "-m", "flows.server.api_server", "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-SE", str(GUARD), str(lifeline), "", *command],
            pass_fds=[lifeline],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            # The UI asks this address, whatever port it was itself loaded from.
            env={
                **os.environ,
                **{f"PREFECT_SERVER_SERVICES_{s}_ENABLED": str(full) for s in _IDLE_SERVICES},
                access.API: f"http://127.0.0.1:{port}/api",
                access.CLIENT: os.environ[access.SERVER],
                "PREFECT_SERVER_UI_API_URL": f"http://127.0.0.1:{port}/api",
            },
        )
    os.close(lifeline)
    with (folder / "users.lock").open("w", encoding="utf-8") as users:
        while server.poll() is None:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            cap_log(folder / "server.log")
            time.sleep(0.5)
    os.close(mine)  # the guard ends the server and all that it started
    server.wait()


if __name__ == "__main__":
    keep(int(sys.argv[1]), full=sys.argv[2] == "full")
