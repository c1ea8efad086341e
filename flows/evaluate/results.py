"""What an evaluation knows of one benchmark: its artifacts, and what was read from them."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.orchestrator.shards import Shards
from tasks.rows import Json, Row
from tasks.settings import BenchmarkName
from tasks.store.store import ArtifactRef


@dataclass
class Evaluated:
    """One benchmark by one policy."""

    benchmark: BenchmarkName
    number: int
    label: str
    problems: ArtifactRef
    policy: ArtifactRef
    greedy: Shards
    sampled: Shards
    groups: ArtifactRef | None = None
    metrics: ArtifactRef | None = None


@dataclass(frozen=True)
class Result:
    """What there is to tell of one benchmark by one policy."""

    benchmark: BenchmarkName
    number: int
    problems: list[Row]
    greedy: list[Row]
    sampled: list[Row]  # columns of _BRIEF alone: there can be very many
    groups: dict[tuple[str, int], int] = field(default_factory=dict)
    metrics: Json = field(default_factory=dict)
