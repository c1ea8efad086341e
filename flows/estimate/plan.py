"""`--dry-run`: the DAG of a run and what of it is cached already, without doing it.

The same loop decides what would be called; this caller looks each call up in the store. What hangs
on an output that is not there yet has no key yet, so it is planned as work. The problems are read
for real, because a dry run should find a missing data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.alarm import Alarm
from flows.orchestrator.pipeline import Chain, in_turn
from flows.rest_em.loop import Loop
from tasks.dag.runtime import Runtime, home, open_store
from tasks.dag.step import Call, find_artifact, perform
from tasks.evaluate.results import Metrics
from tasks.model_checks.look import look
from tasks.model_checks.question import Question
from tasks.problems.step import load_splits, prepare_problems, read_benchmark
from tasks.settings import SamplingSettings
from tasks.store.store import ArtifactRef, Store

PENDING = "pending"


@dataclass(frozen=True)
class PlannedCall:
    """A call that is not cached; `group` is the step's name in tables."""

    iteration: int
    group: str
    call: Call


@dataclass
class PlannedGroup:
    """How many calls of a group are cached, and how many are to do, in an iteration."""

    iteration: int
    step: str
    cached: int = 0
    to_do: int = 0


class PlanCaller:
    """Looks calls up instead of making them."""

    def __init__(self, store: Store, config: RestEmConfig) -> None:
        self.store = store
        self.groups: dict[tuple[int, str], PlannedGroup] = {}
        self.to_do: list[PlannedCall] = []
        self.splits: dict[str, int] = {}  # problems of each
        self.warnings: list[str] = []
        self.before_work: Callable[[Call], None] = lambda _: None
        self._runtime = Runtime(
            store=store,
            logs=Path(home() / "logs"),
            resources=config.resources,
            engine=_none,
            grader=_none,
            progress=lambda *_: None,
        )

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """The artifact if it is there, else a stand-in for it."""
        row = self.groups.setdefault((iteration, group), PlannedGroup(iteration, group))
        ref = None
        if not any(self.pending(given) for given in call.inputs.values()):
            ref = find_artifact(call, self.store, self.warn)
            if ref is None and call.step in (prepare_problems, read_benchmark):
                ref = perform(call, self._runtime)
        if ref is None:
            self.before_work(call)
            row.to_do += 1
            self.to_do.append(PlannedCall(iteration, group, call))
            return ArtifactRef(call.step.kind, call.key, PENDING, -1)
        row.cached += 1
        return ref

    def drive(self, chains: Iterable[Chain]) -> None:
        """Look them up in turn."""
        in_turn(chains, lambda request: self.call(request.call, request.iteration, request.group))

    def pending(self, ref: ArtifactRef) -> bool:
        """Whether an artifact is only planned."""
        return ref.digest == PENDING

    def end_stage(self) -> None:
        """Nothing was started."""

    def look(self, *questions: Question) -> None:
        """In this process, which does nothing else."""
        for question in questions:
            look(question)

    def review(self, number: int, sampling: SamplingSettings, metrics: Metrics) -> None:
        """Nobody is asked."""

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Nobody is told."""

    def warn(self, text: str) -> None:
        """Keep a warning for the table's foot."""
        self.warnings.append(text)


def plan(config: RestEmConfig) -> PlanCaller:
    """Plan a run.

    Raises:
        UserError: the data set or the model is not to be had.
    """
    caller = PlanCaller(open_store(config.resources), config)
    problems = Loop(config, caller).run().problems
    splits = load_splits(caller.store.path(problems))
    caller.splits = {split: len(rows) for split, rows in splits.items()}
    return caller


def _none(*_: object) -> NoReturn:
    raise AssertionError("a plan starts nothing")
