"""Calls steps as Prefect tasks, and keeps the journal, the console and the run's page told."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect import State, get_run_logger
from prefect.utilities.annotations import quote

from flows.machines.local import LocalMachine
from flows.machines.ray_cluster import ACTOR_STEPS, TASK_STEPS, RayCluster
from flows.orchestrator.alarm import Alarm, emit
from flows.orchestrator.decision import Decision
from flows.orchestrator.model_look import look_apart
from flows.orchestrator.pipeline import Chain, StepRequest, found_first, pipeline_of
from flows.orchestrator.review import Reviews
from flows.report.tables import metric_cell, metric_order
from flows.runs.console import Console, WorkerConsole
from flows.runs.journal import Journal
from flows.runs.next_steps import NextSteps, write_page
from flows.runs.prefect_page import RunPage
from flows.runs.step_lines import step_line
from tasks.dag.prefect_task import (
    FinishedTaskRun,
    StepTask,
    drop_broken_record,
    keep_record,
    prefect_task_of,
    record_lock,
)
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, RemoteRuntime, find_artifact, waits_for
from tasks.dag.step_names import MEASURE
from tasks.durable import make_folders
from tasks.evaluate.results import Metrics
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.model_checks.question import Question
from tasks.settings import SamplingSettings
from tasks.store.store import ArtifactRef


class PrefectCaller:
    """Calls steps as Prefect tasks and writes the journal."""

    def __init__(
        self,
        machine: LocalMachine,
        journal: Journal,
        console: Console,
        cluster: RayCluster | None = None,
    ) -> None:
        self.store = machine.runtime.store
        self.journal, self.console, self._machine = journal, console, machine
        self._cluster = cluster
        self._made: dict[str, FinishedTaskRun] = {}
        self._results = Path(os.environ["PREFECT_RESULTS_LOCAL_STORAGE_PATH"])
        self._page = RunPage(journal.folder.name, self.warn)
        # Told of every call that is done: the call, its artifact, whether it was there before.
        self.told: Callable[[Call, ArtifactRef, bool], None] = lambda *_: None
        self.before_work: Callable[[Call], None] = lambda _: None
        machine.runtime.say = self.say

    def begun(self) -> PrefectCaller:
        """This one, when the run's page in Prefect's UI leads to where the run can be followed."""
        self._page.begin()
        return self

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Run the step's task, or find it cached; see tasks/dag/step.py for the order of trust."""
        return self._call(call, iteration, group, find_artifact(call, self.store, self.warn))

    def _call(
        self, call: Call, iteration: int, group: str, there: ArtifactRef | None
    ) -> ArtifactRef:
        """Do it as the one that does: Prefect would read a record that another is writing."""
        waits = waits_for(call, self._machine.runtime) if there is None else None
        with record_lock(call, self._results, waits):
            if there is None:  # another may have made it meanwhile
                there = find_artifact(call, self.store, self.warn)
            return self._call_alone(call, iteration, group, there)

    def _call_alone(
        self, call: Call, iteration: int, group: str, there: ArtifactRef | None
    ) -> ArtifactRef:
        started = time.perf_counter()
        task = prefect_task_of(call.step)
        if drop_broken_record(call, self._results):
            self.warn(f"the record of {call.label} was damaged; it is written again")
        if there is None:
            self.before_work(call)
            task = task.with_options(refresh_cache=True)
        else:
            keep_record(call, there, self._results)
        self.console.begin(iteration, group, call.label)
        # A policy that another run made has no state in this one.
        made = [self._made.get(ref.location) for ref in call.inputs.values()]
        needed = [one for one in made if one is not None]
        state = self._run(task, call, needed)
        if state.is_failed() or state.is_crashed():
            state.result()  # raises what the step raised
        cached = state.name == "Cached"
        ref = there if cached else self.store.lookup(call.step.kind, call.key)
        assert ref is not None, "a step that ended well left no artifact"
        self._made[ref.location] = FinishedTaskRun(cast(UUID, state.state_details.task_run_id))
        self._log(call, ref, iteration, group, cached, started)
        return ref

    def _run(self, task: StepTask, call: Call, needed: list[FinishedTaskRun]) -> State:
        """Run a step's task here or on the cluster; an actor there works for a task here."""
        runtime: Runtime | RemoteRuntime = self._machine.runtime
        if call.settings.get("engine") == HOSTED_ENGINE:
            pass  # asked from here, where the key and its answers are
        elif self._cluster is not None and call.step.name in ACTOR_STEPS:
            runtime = RemoteRuntime(self._cluster.perform)
        elif self._cluster is not None and call.step.name in TASK_STEPS:
            return self._cluster.run(task, call)
        # Quoted: Prefect would walk through all settings and inputs, looking for states.
        state = task(quote(call), quote(runtime), wait_for=needed, return_state=True)
        return cast(State, state)

    @property
    def runtime(self) -> Runtime:
        """The surroundings of the steps."""
        return self._machine.runtime

    def drive(self, chains: Iterable[Chain]) -> None:
        """Run them side by side; their lines are printed when all are through."""

        def perform(request: StepRequest) -> ArtifactRef:
            return self.call(request.call, request.iteration, request.group)

        def there(request: StepRequest) -> ArtifactRef | None:
            """What is in the store already is taken here, without a thread for each."""
            found = find_artifact(request.call, self.store, self.warn)
            if found is None:
                return None
            return self._call(request.call, request.iteration, request.group, found)

        with self.console.together():
            pipeline = pipeline_of(self._machine.runtime.resources, perform, self.stop)
            pipeline.run(found_first(chain, there) for chain in chains)

    @contextmanager
    def beside(self, number: int) -> Iterator[PrefectCaller]:
        """Another for a run at the same time: with processes of its own and the same journal."""
        console = WorkerConsole(self.console, f"{number}: ")
        logs = self.journal.logs / str(number)
        make_folders(logs)
        with self._machine.beside(logs, console.progress) as machine:
            yield PrefectCaller(machine, self.journal, console)

    def stop(self) -> None:
        """End what steps are busy with."""
        if self._cluster is not None:
            self._cluster.close()
        self._machine.close()

    def pending(self, ref: ArtifactRef) -> bool:
        """Nothing is only planned here."""
        return False

    def end_stage(self) -> None:
        """Free the engine's memory."""
        self._machine.release_engine()
        if self._cluster is not None:
            self._cluster.release_engines()

    def say(self, text: str) -> None:
        """Say it on the console and in Prefect's log."""
        self.console.say(text)
        get_run_logger().info(text)

    def warn(self, text: str) -> None:
        """Say it on the console, in Prefect's log and in the journal."""
        self.console.warn(text)
        get_run_logger().warning(text)
        self.journal.warn(text)

    def look(self, *questions: Question) -> None:
        """In a process of its own, which has what is imported for it."""
        look_apart(questions)

    def review(self, number: int, sampling: SamplingSettings, metrics: Metrics) -> Decision:
        """Ask the person; the run ends here until they answer."""
        facts = "\n".join(
            f"- {name}: {metric_cell(metrics.metrics[name])}"
            for name in metric_order(set(metrics.metrics))
        )
        return Reviews(self.journal.folder).ask(number, sampling, facts)

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Tell whoever listens on the server."""
        emit(self.journal.folder.name, number, alarm)

    def publish(self, report: ArtifactRef, then: NextSteps | None = None) -> Path:
        """Put a report where people look and into Prefect's UI; where it is.

        Args:
            then: What can be done next; it names this machine, so it is no part of the artifact.
        """
        made = self.store.path(report)
        page = write_page(made, self.journal.folder, then)
        markdown = (made / "report.md").read_text(encoding="utf-8")
        self.show(markdown)
        if then is not None:
            self._page.model(then.lines)
        return page

    def show(self, markdown: str) -> None:
        """Show a report on the run's page in Prefect's UI."""
        self._page.report(markdown)

    def end(
        self,
        page: Path,
        title: str,
        table: str,
        policies: Sequence[str] = (),
        then: NextSteps | None = None,
    ) -> None:
        """Close the journal of a run that came to its end, and print its results."""
        self.journal.end("completed", report=str(page), policies=policies)
        self.console.finish(title, table, page, then.lines if then else ())

    def _log(
        self,
        call: Call,
        ref: ArtifactRef,
        iteration: int,
        group: str,
        cached: bool,
        started: float,
    ) -> None:
        took = time.perf_counter() - started
        ended = self.journal.now()
        line, note = step_line(
            self.store, call, ref, iteration, group, cached=cached, took=took, ended=ended
        )
        self.journal.step(line)
        self.console.end(line, note)
        self.told(call, ref, cached)
        if call.step.name == MEASURE and not self.console.brief:
            metrics = Metrics.read(self.store.path(ref))
            self._page.measured(call.label.removeprefix(f"{MEASURE} "), metrics)


class OneLine(logging.Filter):
    """Leaves of a user's mistake in Prefect's logs the one line that says it, no traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record where its exception is one of ours; keep all."""
        from tasks.errors import StepError, UserError

        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, UserError | StepError):
            record.msg, record.args, record.exc_info = str(error), (), None
        return True
