"""The contract between a loop and whatever performs its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from flows.orchestrator.alarm import Alarm
from flows.orchestrator.decision import Decision
from flows.orchestrator.pipeline import Chain
from tasks.dag.step import Call
from tasks.evaluate.results import Metrics
from tasks.model_checks.question import Question
from tasks.settings import SamplingSettings
from tasks.store.store import ArtifactRef, Store


class Caller(Protocol):
    """How a step is called."""

    store: Store

    @property
    def before_work(self) -> Callable[[Call], None]:
        """Told of each call that is not cached, before anything is done for it; may refuse."""
        ...

    @before_work.setter
    def before_work(self, told: Callable[[Call], None]) -> None: ...

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Do it or find it; `group` is the step's name in tables."""
        ...

    def drive(self, chains: Iterable[Chain]) -> None:
        """Run chains of calls, side by side where that is possible."""
        ...

    def pending(self, ref: ArtifactRef) -> bool:
        """Whether an artifact is only planned."""
        ...

    def end_stage(self) -> None:
        """The policy is not sampled any more: its engine may go."""
        ...

    def warn(self, text: str) -> None:
        """Tell the person something that they should know about the run."""
        ...

    def look(self, *questions: Question) -> None:
        """See that a model can be used so; raises a UserError where it cannot."""
        ...

    def review(self, number: int, sampling: SamplingSettings, metrics: Metrics) -> Decision | None:
        """What a person decides after an iteration; None: nobody is asked."""
        ...

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Something went wrong with a policy (flows/orchestrator/alarm.py)."""
        ...
