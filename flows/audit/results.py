"""What an audit found: audit.json as dataclasses.

An interval is None where there is nothing to measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tasks.evaluate.intervals import Interval
from tasks.facts import Facts, FactsFile


@dataclass(frozen=True)
class SecondName(Facts):
    """The second checker."""

    name: str
    version: str


@dataclass(frozen=True)
class StratumCounts(Facts):
    """Unlike pairs with one verdict of ours, and the second checker's opinions on those asked."""

    pairs: int
    asked: int
    equal: int
    unequal: int
    undecided: int


@dataclass(frozen=True)
class GroupAgreement(Facts):
    """Agreement on the decided pairs of a subject or level."""

    pairs: int
    disagreements: int
    agreement: Interval | None


@dataclass(frozen=True)
class Agreement(Facts):
    """The share of pairs on which both checkers agree, over all and by subject or level."""

    overall: Interval | None
    groups: dict[str, GroupAgreement]


@dataclass(frozen=True)
class ErrorRates(Facts):
    """How often our checker is wrong; the terms are those of flows/audit/estimate.py."""

    accepted_wrong: Interval | None
    refused_right: Interval | None
    false_positive: Interval | None
    false_negative: Interval | None


@dataclass(frozen=True)
class LabelCounts(Facts):
    """Disagreements of a direction, how many a person labelled, in how many of these we erred."""

    disagreements: int
    labelled: int
    ours_wrong: int


@dataclass(frozen=True)
class Disagreement(Facts):
    """Pairs with equal readings on which the checkers disagree, and the text of one of them."""

    pairs: int
    reference: str
    extracted: str
    status: str
    second_text: str
    second_value: str
    second_reference: str
    problem: str
    question: str
    text: str


@dataclass(frozen=True)
class AuditReport(FactsFile):
    """An audit of a run.

    Attributes:
        limit: Seconds for a pair.
        grouped_by: `subject`, `level`, or empty where the problems have neither.
        strata: By our verdict: accepted, refused, unsettled.
        undecided: Pairs that the second checker left undecided, by reason.
        bounds: Our error rates if every disagreement were our error.
        estimates: The same with labels; None without labels.
        labels: By direction: accepted, refused.
        disagreements: By direction, the most common first.
    """

    FILE: ClassVar[str] = "audit.json"

    run: str
    seed: int
    limit: float
    confidence: float
    resamples: int
    samples: int
    problems: int
    grouped_by: str
    notes: list[str]
    second: SecondName
    strata: dict[str, StratumCounts]
    undecided: dict[str, int]
    agreement: Agreement
    bounds: ErrorRates
    estimates: ErrorRates | None
    labels: dict[str, LabelCounts]
    disagreements: dict[str, list[Disagreement]]
