"""A PostgreSQL of a bench's or test's own, from the machine's packages, in its own folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

USER = "restem"
# Where Debian's packages put the programs that a server's owner runs.
_DEBIAN = Path("/usr/lib/postgresql")
POSTGRES_START_SECONDS = 30.0


def programs() -> Path | None:
    """Folder of initdb and postgres; None where there are none."""
    found = sorted(_DEBIAN.glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    plain = shutil.which("initdb")
    return Path(plain).resolve().parent if plain else None


class Postgres:
    """One server with an empty database; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        """Make the cluster and start it.

        Args:
            folder: Its own; the parents must be open to other users when this one is root.
        """
        found = programs()
        if found is None:
            raise FileNotFoundError("no initdb; Debian: apt-get install postgresql")
        self._programs, self._data = found, folder / "data"
        # PostgreSQL refuses to run as root; Debian's package brings a user for it.
        self._owner = "postgres" if os.geteuid() == 0 else None
        folder.mkdir(parents=True)
        if self._owner:
            shutil.chown(folder, self._owner)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._do("initdb", "-D", str(self._data), "-U", USER, "-A", "trust", "--no-sync")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self._do("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "prefect")

    @property
    def address(self) -> str:
        """For Prefect's PREFECT_API_DATABASE_CONNECTION_URL."""
        return f"postgresql+asyncpg://{USER}@127.0.0.1:{self.port}/prefect"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = ["-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        with (self._data.parent / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), *options],
                user=self._owner,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self._data.parent,
            )
        ready = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + POSTGRES_START_SECONDS
        while subprocess.run(ready, capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start (log: {self._data.parent / 'log'})")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to the server and all its backends, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it, however clients stand."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, how)
            self._process.wait()

    def _do(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._owner,
            cwd=self._data.parent,
            capture_output=True,
            check=True,
        )
