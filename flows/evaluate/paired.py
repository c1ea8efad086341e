"""Two policies compared on the same problems, and what of it deserves a warning.

Of an evaluation on each of its benchmarks, of runs (flows/compare/flow.py) on their test problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from flows.report.paired import Comparison, CorrectedMcNemar
from flows.report.values import change_cell, shown_reference, unchecked
from tasks.evaluate.metrics import Groups, sampled_scores, scores
from tasks.evaluate.paired import differences, difficulty_bins, holm, mcnemar
from tasks.evaluate.results import Change
from tasks.evaluate.solved_and_lost import solved_and_lost
from tasks.rows import Row
from tasks.settings import MeasureSettings

# Intervals are a property of the samples, so equal samples have equal intervals.
BOOTSTRAP_SEED = 0
SHOWN_CHANGES = 10


class ScoredPolicy(Protocol):
    """Problems with a policy's greedy solutions, its samples' verdicts and groups of answers."""

    @property
    def problems(self) -> list[Row]:
        """The problems."""
        ...

    @property
    def greedy(self) -> list[Row]:
        """Greedy solutions with verdicts."""
        ...

    @property
    def sampled(self) -> list[Row]:
        """Verdicts on samples."""
        ...

    @property
    def groups(self) -> Groups:
        """Which samples gave equal answers; empty: no vote."""
        ...


def compare_policies(
    before: ScoredPolicy,
    after: ScoredPolicy,
    settings: MeasureSettings,
    *,
    hard_for: Iterable[Row] | None = None,
    shown: int = SHOWN_CHANGES,
) -> Comparison:
    """The comparison of two policies on one set of problems; p is not corrected yet.

    Args:
        before: What one did.
        after: What the other did, on the same problems.
        hard_for: Verdicts on the samples that say how hard a problem is; without them those of
            `before`.
        shown: Most problems of which the texts are kept, newly solved and newly lost each.
    """
    how = (settings.bootstrap, settings.confidence, BOOTSTRAP_SEED)
    greedy = scores(before.greedy), scores(after.greedy)
    metrics = [
        {"greedy": of, **sampled_scores(one.sampled, settings, one.groups or None)}
        for of, one in zip(greedy, (before, after), strict=True)
    ]
    found = differences(metrics[0], metrics[1], *how)
    solved, lost = solved_and_lost(before.greedy, after.greedy, before.problems, shown)
    drawn = before.sampled if hard_for is None else hard_for
    test = mcnemar(*greedy)
    return Comparison(
        found,
        CorrectedMcNemar(test.solved, test.lost, test.p, p_holm=test.p),
        difficulty_bins(scores(drawn), *greedy, *how),
        "greedy" in found and found["greedy"].high < 0,
        [int(name[5:]) for name, m in found.items() if name.startswith("pass@") and m.high < 0],
        short_references(solved),
        short_references(lost),
    )


def short_references(changes: Iterable[Change]) -> list[Change]:
    """The same with references in a few words: a program's tests are long."""
    return [replace(one, reference=shown_reference(one.reference)) for one in changes]


def corrected(found: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with p-values corrected for their number (Holm)."""
    adjusted = holm([one.mcnemar.p for one in found])
    return [
        replace(one, mcnemar=replace(one.mcnemar, p_holm=p))
        for one, p in zip(found, adjusted, strict=True)
    ]


def regression_warnings(
    found: Mapping[str, Comparison], against: str, confidence: float
) -> list[str]:
    """What became worse, of corrected comparisons by their names."""
    said = []
    for name, one in found.items():
        if one.regression:
            sure = one.mcnemar.p_holm < 1 - confidence
            said.append(
                f"{name}: regression against {against}: greedy "
                f"{change_cell(one.metrics['greedy'])} points"
                + ("" if sure else f", not beyond chance for {len(found)} comparisons (Holm)")
            )
        said += [
            f"{name}: pass@{k} is below that of {against}: "
            f"{change_cell(one.metrics[f'pass@{k}'])} points"
            for k in one.crossing
        ]
    return said


def unchecked_warnings(name: str, statuses: Mapping[str, int]) -> list[str]:
    """A word on greedy solutions of a benchmark, or a policy, that no checker could judge."""
    count = unchecked(statuses)
    text = f"{name}: {count} greedy solutions could not be checked and count as wrong"
    return [text] if count else []
