"""What a comparison of runs found, as `restem compare --json` prints it."""

from __future__ import annotations

from dataclasses import dataclass

from flows.report.paired import Comparison
from tasks.evaluate.intervals import Interval
from tasks.facts import Facts


@dataclass(frozen=True)
class PolicyCost(Facts):
    """What it took to make and evaluate a policy, by the manifests of the artifacts."""

    drawn: int  # samples to train on
    samples: int  # in all
    sampled_tokens: int
    trained_tokens: int
    seconds: float
    cpu_seconds: float
    engine_seconds: float
    sandbox_seconds: float


@dataclass(frozen=True)
class ComparedPolicy(Facts):
    """A policy on all problems of its own run; `label` is RUN:ITERATION."""

    label: str
    run: str
    iteration: int
    digest: str
    base: str
    metrics: dict[str, Interval]
    transfer: dict[str, Interval]
    statuses: dict[str, int]
    mean_tokens: float | None
    truncated: float | None
    cost: PolicyCost


@dataclass(frozen=True, kw_only=True)
class IterationGreedy(Interval):
    """Greedy accuracy of policy p_iteration."""

    iteration: int


@dataclass(frozen=True)
class RunCurve(Facts):
    """Greedy accuracy by iteration of a run."""

    run: str
    greedy: list[IterationGreedy]


@dataclass(frozen=True)
class FieldDifference(Facts):
    """A field in which configurations differ, and its value in each run."""

    field: str
    values: dict[str, str]


@dataclass(frozen=True)
class SharedProblems(Facts):
    """Problems of a set that both policies tried, and how many each of them did."""

    problems: int
    first: int
    other: int


@dataclass(frozen=True)
class SharedArtifacts(Facts):
    """Artifacts that both policies rest on, and how many each of them does."""

    shared: int
    first: int
    other: int


@dataclass(frozen=True, kw_only=True)
class RunComparison(Comparison):
    """A policy against the first.

    Attributes:
        shared: By set: test, train, validation, transfer:BENCHMARK.
        before: Greedy accuracy of the first on the shared test problems.
        after: Of this one.
        transfer: Differences on other benchmarks.
    """

    label: str
    shared: dict[str, SharedProblems]
    before: float
    after: float
    transfer: dict[str, Interval]
    artifacts: SharedArtifacts


@dataclass(frozen=True)
class ComparisonReport(Facts):
    """Policies side by side; `first` is the label of the one that the others are compared with."""

    first: str
    confidence: float
    policies: list[ComparedPolicy]
    runs: list[RunCurve]
    configuration: list[FieldDifference]
    comparisons: list[RunComparison]
    warnings: list[str]
