"""What a run has made so far: a policy, its samples and what was measured of it, by iteration."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.orchestrator.shards import Shards
from flows.rest_em.rated import Rated
from flows.rest_em.search import Found
from tasks.store.store import ArtifactRef


@dataclass
class Iteration:
    """What there is about policy p_i; `drawn` and `selection` are of the step that follows it."""

    number: int
    policy: ArtifactRef
    greedy: Shards
    train: Shards
    validation: Shards
    sampled: Shards
    metrics: ArtifactRef
    transfer: dict[str, Shards] = field(default_factory=dict)
    drawn: Shards = field(default_factory=Shards)
    groups: ArtifactRef | None = None
    diversity: ArtifactRef | None = None
    verified: ArtifactRef | None = None
    found: Found | None = None
    rated: Rated | None = None
    relabeled: Shards = field(default_factory=Shards)
    rewarded: Shards = field(default_factory=Shards)
    selection: ArtifactRef | None = None
    win_rates: ArtifactRef | None = None
    proxy: ArtifactRef | None = None  # what it was trained for beside what is meant


@dataclass
class LoopResult:
    """All artifacts of a run."""

    problems: ArtifactRef
    iterations: list[Iteration]
    warnings: list[str]
