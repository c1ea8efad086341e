"""Marks flow runs whose process is gone, which the server still calls Running.

A run that is killed together with its worker can tell nobody. Until it is marked it holds the work
pool's one slot, and the UI offers no Retry. Prefect's own answer, heartbeats (flows/station/
automations.py), takes minutes and is for runs on other hosts; on this host a look at the processes
is enough.

What is left alone: runs of other work pools, and runs that neither a worker here nor a journal of
this home knows: they may live on another host.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

from flows.server.address import started
from flows.server.api import Api, ApiError
from flows.station.processes import engines
from tasks.dag.runtime import home

# A worker names a run Pending a moment before it starts the run's process.
PENDING_SECONDS = 60.0
_STATES = ["RUNNING", "PENDING", "CANCELLING"]
CRASHED = "The process of this run is gone. Retry resumes it: what was done comes from the cache."
CANCELLED = "Cancelled; its process is gone."


class Reaper:
    """Looks for dead runs of one work pool, and of this home's command line."""

    def __init__(self, api: Api, pool: str) -> None:
        self._api, self._pool = api, pool
        self._suspects: set[str] = set()

    def look(self, *, at_once: bool = False) -> list[str]:
        """Mark dead runs; what was done, a line for each.

        Args:
            at_once: Mark a run that is seen dead for the first time. Else it has until the next
                look, for its worker may be about to report it.
        """
        try:
            runs = self._unfinished()
            living = set(engines(self._api.address).values())
            dead = [run for run in runs if self._is_dead(run, living, at_once)]
            known, self._suspects = self._suspects, {run["state"]["id"] for run in dead}
            return [
                line
                for run in dead
                if (at_once or run["state"]["id"] in known) and (line := self._mark(run))
            ]
        except ApiError:
            return []  # the server is being started again; the next look is soon

    def _unfinished(self) -> list[dict[str, Any]]:
        query = {"flow_runs": {"state": {"type": {"any_": _STATES}}}, "limit": 200}
        return self._api.post("/flow_runs/filter", query)

    def _is_dead(self, run: dict[str, Any], living: set[str], at_once: bool) -> bool:
        if run["id"] in living:
            return False
        if run["work_pool_name"] != self._pool:
            return _journals().get(run["id"], False)
        if run["state"]["type"] == "PENDING" and not at_once:
            since = datetime.fromisoformat(run["state"]["timestamp"].replace("Z", "+00:00"))
            return (datetime.now(UTC) - since).total_seconds() > PENDING_SECONDS
        return True

    def _mark(self, run: dict[str, Any]) -> str:
        fresh = self._api.get(f"/flow_runs/{run['id']}")["state"]
        if fresh["id"] != run["state"]["id"]:
            return ""  # it has moved on since
        was_cancelling = fresh["type"] == "CANCELLING"
        state = {
            "type": "CANCELLED" if was_cancelling else "CRASHED",
            "name": "Cancelled" if was_cancelling else "Crashed",
            "message": CANCELLED if was_cancelling else CRASHED,
        }
        # Without force, so that a run that ended in this very moment keeps its end.
        self._api.post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": False})
        return f"run {run['name']} ({run['id']}) was {fresh['name']}, now {state['name']}"


def _journals() -> dict[str, bool]:
    """For each flow run that a journal of this home names: whether its process is gone."""
    found = {}
    for path in (home() / "runs").glob("*/run.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            head = json.loads(path.read_text())
            found[head["flow_run"]] = started(head["pid"]) is None
    return found
