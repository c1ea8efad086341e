"""A run of the loop straight in the test's own process, and what there is of it."""

from __future__ import annotations

from typing import Any

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.iterations import LoopResult
from flows.rest_em.loop import Loop
from tasks.rows import read_rows
from tasks.store.manifest import Provenance
from tasks.store.store import ArtifactRef, Store

# One thread, so that busy neighbours cost little.
QUIET = ("resources.threads=1", "resources.batch_size=64", "evaluation.train_problems=0")


class Ran:
    """A run of the loop straight in this process, and what there is of it."""

    def __init__(self, config: RestEmConfig) -> None:
        self.config = config
        with DirectCaller(config) as caller:
            self.outcome: LoopResult = Loop(config, caller).run()
            self.store: Store = caller.store
            self.done = caller.done

    def policies(self) -> dict[str, ArtifactRef]:
        """What a fine-tune was called → the policy that it made, in order."""
        return {self.made(ref).label: ref for group, ref in self.done if group == "finetune"}

    def made(self, ref: ArtifactRef) -> Provenance:
        """What went into an artifact."""
        return self.store.manifest(ref).provenance

    def start(self, policy: ArtifactRef) -> str:
        """Key of the policy that a fine-tune started from."""
        return self.made(policy).inputs["start"].key

    def rows(self, refs: list[ArtifactRef], file: str) -> list[dict[str, Any]]:
        return [row for ref in refs for row in read_rows(self.store.path(ref) / file)]
