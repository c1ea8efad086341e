"""A station in a home of its own, for `restem bench chaos`: runs are started, watched, resumed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from bench.recovery._chaos_clock import WallClock
from flows.config.rest_em import RestEmConfig, load_config
from flows.server.api import Api, ApiError
from tasks.paths import ROOT
from tasks.settings.secret import read_secret
from tests.small import SMALL

# The server knows a run no more whose database was made anew.
LOST = "LOST"
ENDS = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED", LOST)
# A run that neither ends nor moves for so long hangs.
HANG_SECONDS = 420.0
# The small demo, smaller, for there are many of them: one iteration, two shards of each kind.
SMALLER = (
    *SMALL,
    "iterations=1",
    "data.train_limit=48",
    "data.test_limit=32",
    "data.validation=16",
    "evaluation.sampled_problems=16",
    "evaluation.train_problems=16",
    "resources.shard_problems=16",
    "resources.train_stall_seconds=20",
)
RESUMES = ("Retry", "restem resume", "a new flow run")


class Station:
    """`restem up` in a home, and what a person does with it."""

    def __init__(self, home: Path, database: str = "", clock: WallClock | None = None) -> None:
        """Start it.

        Args:
            home: RESTEM_HOME.
            database: Address of a PostgreSQL; empty: SQLite.
            clock: By which its processes live; None: the machine's.
        """
        self.home = home
        self.store = home / "disk" / "store"
        self._database, self._clock = database, clock
        ui, pages = _free_port(), _free_port()
        self.command("up", "--port", str(ui), "--pages", str(pages), "--no-browser")
        secret = read_secret(home / "prefect" / "secret")
        self.api = Api(f"http://127.0.0.1:{ui}/api", secret=secret)
        self._deployments: dict[str, str] = {}

    @property
    def note(self) -> dict[str, Any]:
        """Process ids of the parts."""
        return json.loads((self.home / "prefect" / "server.json").read_text(encoding="utf-8"))

    def command(
        self, *arguments: str, home: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `restem ARGUMENTS` in this home, or in another one, as of another machine."""
        plain = plain_environment()
        if home in (None, self.home):
            plain |= self._clock.variables if self._clock else {}
            if self._database:
                plain["PREFECT_API_DATABASE_CONNECTION_URL"] = self._database
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=ROOT,
            env={**plain, "RESTEM_HOME": str(home or self.home)},
            stdin=subprocess.DEVNULL,  # nobody is there to be asked
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
        )

    def start(self, config: RestEmConfig) -> str:
        """Start a run as the UI does; its flow run's id."""
        name = f"{config.name}"
        if name not in self._deployments:
            found = self._patiently("get", f"/deployments/name/rest-em/{name}")
            self._deployments[name] = found["id"]
        parameters = {"config": config.model_dump(mode="json")}
        made = self._patiently(
            "post",
            f"/deployments/{self._deployments[name]}/create_flow_run",
            {"parameters": parameters, "state": {"type": "SCHEDULED"}},
        )
        return made["id"]

    def state(self, flow_run: str) -> tuple[str, str]:
        """Type of a flow run's state, and its message; empty while the server is away."""
        try:
            state = self.api.get(f"/flow_runs/{flow_run}", 5.0)["state"]
        except ApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                self._deployments.clear()
                return LOST, "Prefect's database was made anew."
            return "", ""
        return state["type"], state["message"] or ""

    def retry(self, flow_run: str) -> None:
        """Press Retry."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry"}
        path = f"/flow_runs/{flow_run}/set_state"
        self._patiently("post", path, {"state": state, "force": False})

    def errors(self, flow_run: str) -> list[str]:
        """What a run's log says of errors."""
        query = {
            "logs": {"flow_run_id": {"any_": [flow_run]}, "level": {"ge_": 40}},
            "sort": "TIMESTAMP_ASC",
        }
        return [line["message"] for line in self._patiently("post", "/logs/filter", query)]

    def _patiently(self, verb: str, path: str, *body: Any) -> Any:
        """Ask a server that may be being started again."""
        deadline = time.monotonic() + HANG_SECONDS
        while True:
            try:
                return getattr(self.api, verb)(path, *body)
            except (ApiError, httpx.HTTPError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def plain_environment() -> dict[str, str]:
    """This process's environment without a server's settings, which belong to another home."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}


def changes(seed: int, store: Path | None = None) -> list[str]:
    """What makes a demo a run of a few seconds, with every step and several shards of each."""
    where = [f"resources.store={store}"] if store else []
    return [*SMALLER, f"seed={seed}", *where]


def small(domain: str, seed: int, store: Path | None = None) -> RestEmConfig:
    """Such a run."""
    return load_config(f"{domain}-demo", changes(seed, store))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
