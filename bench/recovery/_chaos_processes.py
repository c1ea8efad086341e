"""What the faults of `restem bench chaos` strike: the processes of a station's runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess

import psutil

from bench.recovery._chaos_station import Station
from bench.recovery._suspension import tree
from sandbox.owner import BORN_LABEL, LABEL
from sandbox.process_name import born
from tasks.paths import GUARD


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


def containers_of(station: Station) -> list[str]:
    """Sandbox containers of the station's runs; others may use the engine too."""
    mine = {process.pid for process in tree(*flows_of(station))}
    return [one for one, owner, _ in _containers() if owner in mine]


def containers_left() -> list[str]:
    """Sandbox containers whose owner is gone."""
    return [one for one, owner, began in _containers() if str(born(owner)) != began]


def _containers() -> list[tuple[str, int, str]]:
    """Id, owner and the owner's start of each sandbox container here."""
    form = f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}} {{{{.Label "{BORN_LABEL}"}}}}'
    done = subprocess.run(
        ["docker", "ps", "-a", "--filter", f"label={LABEL}", "--format", form],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    found = [line.split() for line in done.stdout.splitlines()]
    return [(one[0], int(one[1]), one[2]) for one in found if len(one) == 3]


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
    command = process.cmdline()  # the guard above it has its command line too, behind its own
    return "tasks.processes.fork_server" in command and str(GUARD) not in command
