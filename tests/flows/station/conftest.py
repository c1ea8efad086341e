"""One real station (`restem up`) for all tests of operations."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.config.rest_em import load_config
from flows.server.access import encoded
from flows.server.api import Api, ApiError
from flows.station.processes import engines
from tasks.paths import ROOT
from tasks.settings.secret import read_secret
from tests.ports import free_port
from tests.small import SMALL

# What must come does come in seconds; on a machine that is busy with other tests it may take long.
PATIENCE = 600.0
# A run that is sure to be at work when a test wants to disturb it; nobody waits for its end.
LONG = (*SMALL, "iterations=20")


def until(what: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait for something true, and return it."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        # What is looked at may not be there yet, or not any more.
        with contextlib.suppress(ApiError, OSError, ValueError, LookupError, psutil.Error):
            if found := what():
                return found
        time.sleep(0.2)
    pytest.fail(f"waited {patience} s in vain for {what}")


@dataclass
class Station:
    """A station in a home of its own."""

    home: Path
    port: int
    pages: int
    server_home: Path | None = None  # where the server is another station's

    @property
    def secret(self) -> str:
        return read_secret((self.server_home or self.home) / "prefect" / "secret")

    @property
    def api(self) -> Api:
        return Api(f"http://127.0.0.1:{self.port}/api", secret=self.secret)

    @property
    def link(self) -> str:
        """What `restem up` prints for a person's browser."""
        return f"http://127.0.0.1:{self.port}/open#{encoded(self.secret)}"

    def environment(self, **env: str) -> dict[str, str]:
        """Of a command in this home."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RESTEM_"))}
        # Whoever asks every ten seconds in earnest asks every second here.
        quick = {
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "10",
            "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "4",
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_PREFETCH_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        }
        return {**plain, **quick, "RESTEM_HOME": str(self.home), **env}

    def command(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`restem ARGUMENTS` in this home."""
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=ROOT,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            timeout=900,
        )

    def popen(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """`restem ARGUMENTS` in this home, in the background."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=ROOT,
            env=self.environment(**env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def up(self) -> str:
        ports = ("--port", str(self.port), "--pages", str(self.pages))
        done = self.command("up", *ports, "--no-browser")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def note(self) -> dict[str, Any]:
        return json.loads((self.home / "prefect" / "server.json").read_text())

    def pid(self, part: str) -> int:
        """A part's process id, once it has one."""
        return until(lambda: self.note()[part])

    def kill(self, part: str) -> None:
        """SIGKILL a part, and wait for the next one."""
        old = self.pid(part)
        os.kill(old, signal.SIGKILL)
        until(lambda: self.note()[part] not in (0, old))

    def deployment(self, name: str) -> dict[str, Any]:
        return self.api.get(f"/deployments/name/{name}")

    def start(self, *changes: str, name: str = "rest-em/math-demo") -> str:
        """Start a run as the UI does; its id."""
        config = load_config("math-demo", list(changes)).model_dump(mode="json")
        return self.start_with({"config": config}, name)

    def start_with(self, parameters: dict[str, Any], name: str = "rest-em/math-demo") -> str:
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        return self.api.post(path, {"parameters": parameters})["id"]

    def state(self, run: str) -> dict[str, Any]:
        return self.api.get(f"/flow_runs/{run}")["state"]

    def set_state(self, run: str, kind: str) -> None:
        state = {"type": kind.upper(), "name": kind}
        self.api.post(f"/flow_runs/{run}/set_state", {"state": state})

    def retry(self, run: str) -> None:
        """Press Retry."""
        self.set_state(run, "Scheduled")
        self.wait_for(run, "RUNNING")

    def cancel(self, run: str) -> None:
        """Press Cancel, and wait until its processes are gone."""
        pid = self.engine(run)
        pids = family(pid) if pid else []
        self.set_state(run, "Cancelling")
        self.gone(pids)
        self.wait_for(run, "CANCELLED")

    def slots(self, name: str = "rest-em/math-demo") -> int:
        """How many of a deployment's slots are taken."""
        limit = self.deployment(name)["global_concurrency_limit"]["id"]
        return self.api.get(f"/v2/concurrency_limits/{limit}")["active_slots"]

    def wait_for(self, run: str, *kinds: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Until a run's state is one of these types; fails when it ends in another."""
        final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

        def there() -> dict[str, Any] | None:
            state = self.state(run)
            if state["type"] in kinds:
                return state
            assert state["type"] not in final, (state["name"], state["message"], self.logs())
            return None

        return until(there, patience)

    def wait_for_work(self, run: str) -> int:
        """Until a run's child processes are there; its process id."""

        def working() -> int | None:
            pid = self.engine(run)
            children = psutil.Process(pid).children(recursive=True) if pid else []
            artifacts = list((self.home / "store").glob("[!.]*/*/manifest.json"))
            return pid if len(children) > 2 and artifacts else None

        self.wait_for(run, "RUNNING")
        return until(working)

    def engine(self, run: str) -> int | None:
        found = [pid for pid, its in engines(self.api.address).items() if its == run]
        return found[0] if found else None

    def processes(self) -> list[psutil.Process]:
        """All processes of this home."""
        mark = f"RESTEM_HOME={self.home}".encode()
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
                if mark in environment and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def gone(self, pids: list[int], patience: float = PATIENCE) -> None:
        until(lambda: not any(_lives(pid) for pid in pids), patience)

    def end(self) -> None:
        """Kill what is left of this home, some of which may be about to end by itself."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def steps(self, run: str) -> list[dict[str, Any]]:
        """The journal of a run's last attempt."""
        name = self.api.get(f"/flow_runs/{run}")["name"]
        lines = (self.home / "runs" / name / "steps.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def logs(self) -> str:
        """The ends of all logs, for a failed test."""
        files = sorted((self.home / "prefect").glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in files)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def family(pid: int) -> list[int]:
    """A process and all that descend from it; it may have ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return []


@pytest.fixture(scope="package")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station that is up for a folder's tests; one that disturbs it leaves it up.

    It ends with them: its services ask each second, all the time.
    """
    station = Station(tmp_path_factory.mktemp("station"), free_port(), free_port())
    station.up()
    yield station
    station.command("down")
    station.end()
