"""What of a run is exported, found through its journal and the provenance of its artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flows.config.rest_em import RestEmConfig
from flows.runs.journal import lookup, read_journal
from flows.runs.journal_forms import RunHead, StepLine
from flows.runs.policies import of_run, policy_of
from flows.runs.status import need_artifact, store_of
from tasks.dag.step_names import FINETUNE, MEASURE, SELECT
from tasks.errors import UserError
from tasks.evaluate.results import Metrics
from tasks.finetune.results import TrainingFacts
from tasks.store.store import ArtifactRef, Store

Data = Literal["rows", "samples", "pairs"]
What = Literal["policy", "adapter", "rows", "samples", "pairs"]


@dataclass(frozen=True)
class Source:
    """A run, as far as it came.

    Attributes:
        iteration: The one that was asked for; None where only the run was named.
        last: Number of the last policy that the run made.
    """

    head: RunHead
    steps: list[StepLine]
    config: RestEmConfig
    store: Store
    iteration: int | None
    last: int

    @property
    def run(self) -> str:
        """The run's whole id."""
        return self.head.run

    @property
    def number(self) -> int:
        """The policy that was asked for, or the last one."""
        return self.last if self.iteration is None else self.iteration

    def policy(self, number: int) -> ArtifactRef:
        """The artifact of policy p_number.

        Raises:
            UserError: it is gone.
        """
        return policy_of(f"{self.run}:{number}", self.store, "RUN")

    def metrics(self, number: int) -> Metrics | None:
        """Of policy p_number; None where it was not measured yet."""
        for line in self.steps:
            if (line.step, line.iteration) == (MEASURE, number):
                ref = lookup(self.store, line.artifact)
                return Metrics.read(self.store.path(ref)) if ref else None
        return None

    def training(self, number: int) -> TrainingFacts | None:
        """How the fine-tune went that made p_number; None for the base."""
        if not any((line.step, line.iteration) == (FINETUNE, number) for line in self.steps):
            return None
        return TrainingFacts.read(self.store.path(self.policy(number)))

    def selections(self) -> list[tuple[int, int, ArtifactRef]]:
        """Iteration, Improve step (from 1) and training rows, of the iterations asked for.

        Raises:
            UserError: there are none, or an artifact is gone.
        """
        found: list[tuple[int, int, ArtifactRef]] = []
        for line in self.steps:
            if line.step.split(",")[0] != SELECT:
                continue
            if self.iteration in (None, line.iteration):
                step = 1 + sum(number == line.iteration for number, _, _ in found)
                found.append((line.iteration, step, need_artifact(self.store, line.artifact)))
        if not found:
            asked = self.run if self.iteration is None else f"{self.run}:{self.iteration}"
            made = {line.iteration for line in self.steps if line.step.split(",")[0] == SELECT}
            has = f"iterations 1 to {max(made)}" if made else "no iteration whose samples are drawn"
            raise UserError(f"RUN {asked}: it has no training rows; the run has {has}")
        return found


def read_source(name: str) -> Source:
    """The run behind RUN or RUN:ITERATION; RUN may be `latest` or the beginning of an id.

    Raises:
        UserError: there is no such run, or it made no such policy.
    """
    run, _, number = of_run(name, "RUN ").rpartition(":")
    asked = name.rpartition(":")
    head, steps = read_journal(run, "rest-em")
    last = int(of_run(run).rpartition(":")[2])
    config = RestEmConfig.model_validate(head.config)
    iteration = int(number) if asked[1] and asked[2] else None
    return Source(head, steps, config, store_of(head), iteration, last)
