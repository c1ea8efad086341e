"""The ReST^EM flow: one Prefect flow with a plain loop of cached tasks.

Prefect restarts a retried flow from the top; every step that was done comes back `Cached`, so one
flow with a loop is all the resuming there is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.config import RestEmConfig
from flows.console import Console
from flows.journal import Journal
from flows.loop import Loop, Outcome
from flows.services import Services
from flows.summary import report_call
from tasks.artifacts import ArtifactRef, Json
from tasks.prefect_cache import drop_broken_record, record_key, task_of
from tasks.runtime import home, open_store
from tasks.steps import Call, find


class PrefectCaller:
    """Calls steps as Prefect tasks and writes the journal."""

    def __init__(self, services: Services, journal: Journal, console: Console) -> None:
        self.store = services.runtime.store
        self._services, self._journal, self._console = services, journal, console
        self._states: dict[str, State] = {}
        self._results = Path(os.environ["PREFECT_RESULTS_LOCAL_STORAGE_PATH"])

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Run the step's task, or find it cached; see tasks/steps.py for the order of trust."""
        started = time.perf_counter()
        task = task_of(call.step)
        if drop_broken_record(call, self._results):
            self.warn(f"the record of {call.label} was damaged; it is written again")
        if find(call, self.store, self.warn) is None:
            task = task.with_options(refresh_cache=True)
        self._console.begin(iteration, group, call.label)
        needed = [self._states[ref.location] for ref in call.inputs.values()]
        state: Any = task(call, self._services.runtime, wait_for=needed, return_state=True)
        if state.is_failed() or state.is_crashed():
            state.result()  # raises what the step raised
        ref = self.store.lookup(call.step.kind, call.key)
        assert ref is not None, "a step that ended well left no artifact"
        self._states[ref.location] = state
        self._log(call, ref, iteration, group, state.name == "Cached", started)
        return ref

    def pending(self, ref: ArtifactRef) -> bool:
        """Nothing is only planned here."""
        return False

    def end_stage(self) -> None:
        """Free the engine's memory."""
        self._services.release_engine()

    def warn(self, text: str) -> None:
        """Say it on the console, in Prefect's log and in the journal."""
        self._console.warn(text)
        get_run_logger().warning(text)
        self._journal.warn(text)

    def _log(
        self,
        call: Call,
        ref: ArtifactRef,
        iteration: int,
        group: str,
        cached: bool,
        started: float,
    ) -> None:
        stats = self.store.manifest(ref)["stats"]
        entry: Json = {
            "iteration": iteration,
            "step": group,
            "label": call.label,
            "state": "Cached" if cached else "Completed",
            "took": round(time.perf_counter() - started, 3),
            "seconds": stats.get("seconds", 0.0),
            "tokens": stats.get("tokens", 0),
            "rows": ref.rows,
            "artifact": ref.location,
            "digest": ref.digest,
            "record": record_key(call),
        }
        self._journal.step(entry)
        self._console.end(entry, stats)


@flow(name="rest-em", flow_run_name="{config.run_id}", validate_parameters=True)
def rest_em(config: RestEmConfig) -> Json:
    """Improve a policy by ReST^EM and return where the report and the artifacts are."""
    journal = Journal(config.run_id, config.model_dump())
    store = open_store(config.resources)
    store.sweep_drafts()
    with Console(config) as console:
        try:
            with Services(
                store,
                journal.logs,
                config.resources,
                console.progress,
                sandbox=config.sandbox,
            ) as services:
                caller = PrefectCaller(services, journal, console)
                outcome = Loop(config, caller).run()
                report = caller.call(report_call(config, outcome), config.iterations, "report")
            return _finish(config, store.path(report), outcome, journal, console)
        except BaseException as error:
            state = "failed" if isinstance(error, Exception) else "interrupted"
            journal.end(state, error=f"{type(error).__name__}: {error}")
            raise


def _finish(
    config: RestEmConfig, report: Path, outcome: Outcome, journal: Journal, console: Console
) -> Json:
    """Put the report where people look, publish it in Prefect, close the journal."""
    page = journal.folder / "report.html"
    page.write_bytes((report / "report.html").read_bytes())
    create_markdown_artifact(
        key=f"report-{config.run_id}",
        markdown=(report / "report.md").read_text(),
        description=f"ReST^EM report of {config.run_id}",
    )
    policies = [iteration.policy.location for iteration in outcome.iterations]
    journal.end("completed", policies=policies, report=str(page), home=str(home()))
    console.finish(outcome, report, page)
    return {"run": config.run_id, "report": str(page), "policies": policies}
