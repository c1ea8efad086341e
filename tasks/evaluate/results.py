"""What an evaluation leaves for reports, comparisons and studies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tasks.evaluate.intervals import Interval
from tasks.facts import Facts, FactsFile

# The reward of a sample that is right.
CORRECT = 1.0


@dataclass(frozen=True)
class Metrics(FactsFile):
    """All metrics of one policy; a metric without any problem is left out.

    Attributes:
        metrics: By name: greedy, train, validation, gap, pass@K, maj@M.
        levels: Greedy accuracy by level of the test problems.
        subjects: The same by subject.
        mean_tokens: Of a greedy test solution; None without one.
        truncated: Share of greedy test solutions cut at the token limit; None without one.
        statuses: Greedy test solutions by status of their verdict.
    """

    FILE: ClassVar[str] = "metrics.json"

    metrics: dict[str, Interval] = field(default_factory=dict)
    levels: dict[str, Interval] = field(default_factory=dict)
    subjects: dict[str, Interval] = field(default_factory=dict)
    mean_tokens: float | None = None
    truncated: float | None = None
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def greedy(self) -> Interval:
        """Greedy accuracy on the test problems."""
        return self.metrics["greedy"]


@dataclass(frozen=True)
class McNemar(Facts):
    """The exact test on problems that only one of two policies solves."""

    solved: int  # by the second alone
    lost: int  # solved by the first alone
    p: float  # two-sided


@dataclass(frozen=True)
class Bin(Facts):
    """Problems that the base solves about equally often."""

    bin: str
    problems: int
    before: float  # greedy accuracy of the base
    after: float  # greedy accuracy of the policy
    difference: Interval


@dataclass(frozen=True)
class Change(Facts):
    """A problem that one of two policies solves alone, with both greedy solutions."""

    id: str
    question: str
    reference: str
    before: str
    after: str
