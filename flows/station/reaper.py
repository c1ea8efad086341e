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

from flows.runs.journal import HEAD, read_head
from flows.server.api import Api, ApiError, FlowRun
from flows.station.processes import engines
from sandbox.awake import awake, silent_since
from tasks.dag.runtime import home
from tasks.facts import WrongFacts

# A worker names a run Pending a moment before it starts the run's process.
PENDING_SECONDS = 60.0
CRASHED = "The process of this run is gone. Retry resumes it: what was done comes from the cache."
CANCELLED = "Cancelled; its process is gone."


class Reaper:
    """Looks for dead runs of one work pool, and of this home's command line."""

    def __init__(self, api: Api, pool: str) -> None:
        self._api, self._pool = api, pool
        self._suspects: set[str] = set()
        self._pending: dict[str, float] = {}  # since when, by the state's id
        # Whether the server answered at the last look, if only with an error.
        self.answered = False

    def look(self, *, at_once: bool = False) -> list[str]:
        """Mark dead runs; what was done, a line for each.

        Args:
            at_once: Mark a run that is seen dead for the first time. Else it has until the next
                look, for its worker may be about to report it.
        """
        self.answered = True
        try:
            runs = self._api.flow_runs("RUNNING", "PENDING", "CANCELLING")
            living = set(engines(self._api.address).values())
            pending = [run.state_id for run in runs if run.kind == "PENDING"]
            self._pending = {each: self._pending.get(each, awake()) for each in pending}
            dead = [run for run in runs if self._is_dead(run, living, at_once)]
            known, self._suspects = self._suspects, {run.state_id for run in dead}
            return [
                line
                for run in dead
                if (at_once or run.state_id in known) and (line := self._mark(run))
            ]
        except ApiError as error:
            self.answered = error.status != 0
            return []  # the server is being started again; the next look is soon

    def _is_dead(self, run: FlowRun, living: set[str], at_once: bool) -> bool:
        if run.id in living:
            return False
        if run.pool != self._pool:
            return run.id in _ended_here()
        if run.kind == "PENDING" and not at_once:
            return silent_since(self._pending[run.state_id]) > PENDING_SECONDS
        return True

    def _mark(self, run: FlowRun) -> str:
        fresh = self._api.flow_run(run.id)
        if fresh.state_id != run.state_id:
            return ""  # it has moved on since
        was_cancelling = fresh.kind == "CANCELLING"
        end = "Cancelled" if was_cancelling else "Crashed"
        self._api.set_state(run.id, end, CANCELLED if was_cancelling else CRASHED)
        return f"run {run.name} ({run.id}) was {fresh.state}, now {end}"


def _ended_here() -> set[str]:
    """Flow runs that a journal of this home names and whose process is gone."""
    found = set[str]()
    for path in (home() / "runs").glob(f"*/{HEAD}"):
        with contextlib.suppress(OSError, WrongFacts):  # the pages show it as damaged
            head = read_head(path.parent)
            if head.is_gone:
                found.add(head.flow_run)
    return found
