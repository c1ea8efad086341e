"""The faults of `restem bench chaos`: what is killed, filled or taken away, and comes back."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.recovery._chaos_station import Station
from bench.recovery._postgres import Postgres

# How long a disk stays full and a store stays away.
FULL_SECONDS = 5.0
AWAY_SECONDS = 5.0
DISK_MB = 400


class Faults:
    """Faults of one station.

    Each method does its fault and returns whether there was anything to do it to; a trainer, say,
    lives for seconds only.
    """

    def __init__(self, station: Station, postgres: Postgres | None = None) -> None:
        self._station, self._postgres = station, postgres

    def kinds(self, domain: str) -> dict[str, Callable[[], bool]]:
        """The faults that a run of a domain can meet here."""
        found: dict[str, Callable[[], bool]] = {
            "worker": lambda: _kill(self._station.note["worker"]),
            "flow": self.flow,
            "engine": lambda: self.child("samples"),
            "trainer": lambda: self.child("model"),
            "server": lambda: _kill(self._station.note["server"]),
            "store away": self.store_away,
        }
        if os.path.ismount(self._station.store.parent):
            found["disk full"] = self.disk_full
        if domain == "code":
            found["container"] = self.container
        if self._postgres is not None:
            found["postgres"] = self.postgres
        return found

    def flow(self) -> bool:
        """Kill the flow's process."""
        return any(_kill(pid) for pid in self._flows())

    def child(self, kind: str) -> bool:
        """Kill the engine, or the trainer, while it makes an artifact of this kind."""
        if not list((self._station.store / ".drafts").glob(f"{kind}~*")):
            return False
        for flow in self._flows():
            with contextlib.suppress(psutil.Error):
                for process in psutil.Process(flow).children(recursive=True):
                    above = process.parent()
                    # The fork server's forks have its command line, and it for a parent.
                    if above and _is_fork_server(process) and _is_fork_server(above):
                        return _kill(process.pid)
        return False

    def container(self) -> bool:
        """Kill a sandbox's container."""
        ids = containers()
        return bool(ids) and _quiet("docker", "kill", ids[0]) == 0

    def disk_full(self) -> bool:
        """Fill the store's disk for a while."""
        ballast = self._station.store.parent / "ballast"
        try:
            with ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 2**20)
                    file.flush()
        except OSError as error:
            assert error.errno == errno.ENOSPC
        time.sleep(FULL_SECONDS)
        ballast.unlink()
        return True

    def store_away(self) -> bool:
        """Take the store's folder away for a while."""
        store = self._station.store
        away = store.with_name("away")
        store.rename(away)
        time.sleep(AWAY_SECONDS)
        if store.exists():
            raise SystemExit(f"the store was made anew while it was away: {list(store.iterdir())}")
        away.rename(store)
        return True

    def postgres(self) -> bool:
        """Kill the database and start it again."""
        assert self._postgres is not None
        self._postgres.kill()
        time.sleep(2.0)
        self._postgres.start()
        return True

    def _flows(self) -> list[int]:
        found = []
        for path in (self._station.home / "runs").glob("*/run.json"):
            head = json.loads(path.read_text(encoding="utf-8"))
            if head["state"] == "running" and psutil.pid_exists(head["pid"]):
                found.append(head["pid"])
        return found


def mount(folder: Path) -> bool:
    """Give a folder a small disk of its own; only root may."""
    folder.mkdir(parents=True)
    options = f"size={DISK_MB}m"
    return os.geteuid() == 0 and not _quiet(
        "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)
    )


def unmount(folder: Path) -> None:
    """Take it away."""
    if os.path.ismount(folder):
        _quiet("umount", "-l", str(folder))


def containers() -> list[str]:
    """Sandbox containers of any run here."""
    done = subprocess.run(
        ["docker", "ps", "-aq", "--filter", "label=restem.sandbox"],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    return done.stdout.split()


def _is_fork_server(process: psutil.Process) -> bool:
    return "tasks.processes.fork_server" in process.cmdline()


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return pid > 0


def _quiet(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode
