"""The loop without Prefect: every step is called directly, in this process.

The baseline of `restem bench overhead`, and what tests use to look at steps alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flows.config.rest_em import RestEmConfig
from flows.machines.local import LocalMachine
from flows.orchestrator.alarm import Alarm
from flows.orchestrator.model_look import look_apart
from flows.orchestrator.pipeline import Chain, StepRequest, in_turn, pipeline_of
from tasks.dag.runtime import Runtime, home, open_store
from tasks.dag.step import Call, find_artifact, perform
from tasks.evaluate.results import Metrics
from tasks.model_checks.look import look
from tasks.model_checks.question import Question
from tasks.settings import SamplingSettings
from tasks.store.store import ArtifactRef


class DirectCaller:
    """Calls steps as plain functions; a context manager that ends what they started."""

    def __init__(self, config: RestEmConfig, *, isolate: bool = False) -> None:
        self.store = open_store(config.resources)
        self.done: list[tuple[str, ArtifactRef]] = []
        self.warnings: list[str] = []
        self.before_work: Callable[[Call], None] = lambda _: None
        self._machine = LocalMachine(
            self.store,
            home() / "logs",
            config.resources,
            lambda *_: None,
            isolate=isolate,
            sandbox=config.sandbox,
            functions=config.find_functions(),
        )

    @property
    def runtime(self) -> Runtime:
        """The surroundings of the steps; a bench may put an engine of its own there."""
        return self._machine.runtime

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Do the work, or find_artifact it done."""
        if find_artifact(call, self.store, self.warn) is None:
            self.before_work(call)
        ref = perform(call, self._machine.runtime)
        self.done.append((group, ref))
        return ref

    def drive(self, chains: Iterable[Chain]) -> None:
        """Run them side by side; in turn where the engine is in this process."""

        def perform(request: StepRequest) -> ArtifactRef:
            return self.call(request.call, request.iteration, request.group)

        if self._machine.isolate:
            pipeline_of(self._machine.runtime.resources, perform, self._machine.close).run(chains)
        else:
            in_turn(chains, perform)

    def pending(self, ref: ArtifactRef) -> bool:
        """Nothing is only planned here."""
        return False

    def end_stage(self) -> None:
        """Free the engine's memory."""
        self._machine.release_engine()

    def look(self, *questions: Question) -> None:
        """In a process of its own where engines are in theirs."""
        if self._machine.isolate:
            look_apart(questions)
            return
        for question in questions:
            look(question)

    def review(self, number: int, sampling: SamplingSettings, metrics: Metrics) -> None:
        """Nobody is asked."""

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Nobody is told."""

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self.warnings.append(text)

    def __enter__(self) -> DirectCaller:
        return self

    def __exit__(self, *_: object) -> None:
        self._machine.close()
