"""What the faults of `restem bench chaos` strike: the processes of a station's runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess

import psutil

from bench.recovery._chaos_station import Station


def flows_of(station: Station) -> list[int]:
    """Processes of the station's runs."""
    found = []
    for path in (station.home / "runs").glob("*/run.json"):
        head = json.loads(path.read_text(encoding="utf-8"))
        if head["state"] == "running" and psutil.pid_exists(head["pid"]):
            found.append(head["pid"])
    return found


def child_of(station: Station, kind: str) -> int | None:
    """The engine, or the trainer, while it makes an artifact of this kind."""
    if not list((station.store / ".drafts").glob(f"{kind}~*")):
        return None
    for flow in flows_of(station):
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(flow).children(recursive=True):
                above = process.parent()
                # The fork server's forks have its command line, and it for a parent.
                if above and _is_fork_server(process) and _is_fork_server(above):
                    return process.pid
    return None


def containers() -> list[str]:
    """Sandbox containers of any run here."""
    done = subprocess.run(
        ["docker", "ps", "-aq", "--filter", "label=restem.sandbox"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout.split()


def send(pid: int | None, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether there was somebody to get it."""
    if not pid:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def quiet(*command: str) -> int:
    """Run a command without a word; its exit code."""
    return subprocess.run(command, capture_output=True, check=False).returncode


def _is_fork_server(process: psutil.Process) -> bool:
    return "tasks.processes.fork_server" in process.cmdline()
