"""What an evaluation leaves: results.json as dataclasses; and what it read to make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from flows.orchestrator.shards import Shards
from flows.report.paired import Comparison
from tasks.evaluate.intervals import Interval
from tasks.evaluate.results import Metrics
from tasks.evaluate.win_rate import WinRates
from tasks.facts import Facts, FactsFile
from tasks.rows import Json, Row
from tasks.settings import BenchmarkName
from tasks.store.store import ArtifactRef


def greedy_of(benchmark: str) -> str:
    """What greedy solutions of a benchmark are drawn for, as the journal has it."""
    return f"{benchmark} greedy"


@dataclass
class Evaluated:
    """One benchmark by one policy, as artifacts."""

    benchmark: BenchmarkName
    number: int
    label: str
    problems: ArtifactRef
    policy: ArtifactRef
    greedy: Shards
    sampled: Shards
    groups: ArtifactRef | None = None
    metrics: ArtifactRef | None = None
    win_rates: ArtifactRef | None = None


@dataclass(frozen=True)
class ScoredBenchmark:
    """One benchmark by one policy, as rows."""

    benchmark: BenchmarkName
    number: int
    problems: list[Row]
    greedy: list[Row]
    sampled: list[Row]  # verdicts alone: there can be very many
    groups: dict[tuple[str, int], int] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(frozen=True)
class PolicyLabel(Facts):
    """A policy: its number (0 is the one compared with), its name in the configuration."""

    number: int
    label: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class PolicyMetrics(Metrics):
    """The metrics of one policy on one benchmark; none where a person grades."""

    number: int

    def to_json(self) -> dict[str, object]:
        """The number and what metrics.json has."""
        return super().to_json() if self.metrics else {"number": self.number, "metrics": {}}


@dataclass(frozen=True)
class HandScores(Facts):
    """The share of points that a person gave, by number of the policy; None without a grade."""

    file: str
    graded: int
    points: dict[str, Interval | None]


@dataclass(frozen=True)
class BenchmarkResult(Facts):
    """One benchmark: every policy on it, and the two of them compared.

    Attributes:
        win_rates: Of the policy over the one that it is compared with; None: nobody was asked.
    """

    SPARSE: ClassVar[tuple[str, ...]] = ("win_rates",)

    name: str
    problems: int
    policies: list[PolicyMetrics]
    hand: HandScores | None
    comparison: Comparison | None
    win_rates: WinRates | None = None


@dataclass(frozen=True)
class EvaluationResults(FactsFile):
    """All that an evaluation found; `against` is empty where only one policy was asked."""

    FILE: ClassVar[str] = "results.json"

    run: str
    name: str
    model: str
    against: str
    config: Json
    policies: list[PolicyLabel]
    benchmarks: list[BenchmarkResult]
    warnings: list[str]

    def label(self, number: int) -> str:
        """How a policy is called in tables."""
        return next(one.label for one in self.policies if one.number == number)

    @property
    def win_rates(self) -> dict[str, WinRates]:
        """Of `model` over `against`, by benchmark; empty where nobody was asked."""
        return {one.name: one.win_rates for one in self.benchmarks if one.win_rates}

    @property
    def confidence(self) -> float:
        """Level of the intervals, such as 0.95."""
        return self.config["measure"]["confidence"]
