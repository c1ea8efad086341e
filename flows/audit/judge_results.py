"""What an audit of a judge found: audit-judge.json as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tasks.evaluate.alignment import Alignment
from tasks.facts import Facts, FactsFile


@dataclass(frozen=True)
class AskedSo(Facts):
    """How far a judge agrees with the checker where it is asked in one way.

    Attributes:
        reasoning: Whether it writes a reason before it chooses.
        swap: Whether both orders are asked, and the mean counts.
        unjudged: Pairs on which it gave no answer.
        alignment: `by_difficulty` goes from the problems that are solved least often to those that
            are solved most often. None where it gave no answer at all.
    """

    reasoning: bool
    swap: bool
    unjudged: int
    alignment: Alignment | None


@dataclass(frozen=True)
class JudgeAudit(FactsFile):
    """An audit of a judge on a run's verdicts.

    Attributes:
        run: The run.
        judge: As it was named.
        digest: Of its artifact.
        prompt: What it was asked.
        seed: Of the draw of pairs.
        pairs: Of a right and a wrong sample of one problem.
        problems: That they are of.
        ways: Without a reason and with one, in one order and in both.
    """

    FILE: ClassVar[str] = "audit-judge.json"

    run: str
    judge: str
    digest: str
    prompt: str
    seed: int
    confidence: float
    resamples: int
    pairs: int
    problems: int
    ways: list[AskedSo]
