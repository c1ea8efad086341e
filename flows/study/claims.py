"""Claims of a paper, and what a study's results say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flows.report.values import between, counted, points
from flows.study.results import ClaimResult, ClaimVerdict, Quantity, Results
from tasks.evaluate.intervals import Interval

Expect = Literal["above", "below", "equal", "not below"]
# Points of accuracy within which two arms count as equal, where the paper says that they are.
MARGIN = 0.02


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and how it is judged here.

    Attributes:
        paper: What the paper found, with its numbers.
        here: What is measured here in its place, in words.
        value: The quantity, a share of 1, of one seed.
        expect: Where the paper says that it lies: its interval over seeds above 0, below 0, within
            `margin` of 0, or not below -`margin`.
        margin: See `expect`.
        in_points: Whether it is told in percentage points; a correlation is not.
    """

    paper: str
    here: str
    value: Quantity
    expect: Expect = "above"
    margin: float = MARGIN
    in_points: bool = True


def judge_claim(claim: Claim, results: Results) -> ClaimResult:
    """Hold a claim against the results, by the rule that stands in its design."""
    mean = results.mean(claim.value)
    verdict = _verdict(claim, mean)
    return ClaimResult(
        claim.paper, claim.here, mean, verdict, _sentence(mean, verdict, claim.in_points)
    )


def _verdict(claim: Claim, mean: Interval | None) -> ClaimVerdict:
    if mean is None:
        return "not measured"
    if mean.problems < 2:
        return "undecided"
    low, high, margin = mean.low, mean.high, claim.margin
    agrees, disagrees = {
        "above": (low > 0, high < 0),
        "below": (high < 0, low > 0),
        "equal": (low > -margin and high < margin, low > margin or high < -margin),
        "not below": (low > -margin, high < -margin),
    }[claim.expect]
    return "agrees" if agrees else "disagrees" if disagrees else "undecided"


def _sentence(mean: Interval | None, verdict: ClaimVerdict, in_points: bool) -> str:
    if mean is None:
        return "Not measured in this study's runs."
    numbers = f"{points(mean.value)} {between(mean, False)}"
    if not in_points:
        numbers = f"{mean.value:+.2f} [{max(-1.0, mean.low):+.2f}, {min(1.0, mean.high):+.2f}]"
    word = "Undecided at this scale" if verdict == "undecided" else verdict.title()
    return f"{word}: {numbers} over {counted(mean.problems, 'seed')}."
