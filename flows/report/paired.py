"""Two policies on the same problems: the comparison as a result, and as cells and solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.report.panel import ShownSolution, SolutionGroup
from flows.report.values import change_cell, percent
from tasks.evaluate.intervals import Interval
from tasks.evaluate.results import Bin, Change, McNemar
from tasks.facts import Facts

TEST_TITLES = ("greedy, points", "newly solved", "newly lost", "p", "p, Holm", "")
BIN_TITLES = ("base solves, of its samples", "problems", "base", "policy", "difference, points")


@dataclass(frozen=True)
class CorrectedMcNemar(McNemar):
    """The test with its p corrected for the number of comparisons (Holm)."""

    p_holm: float


@dataclass(frozen=True)
class Comparison(Facts):
    """What one policy does better than another, by problems that both tried.

    Attributes:
        metrics: Differences in every metric that both have.
        mcnemar: Of newly solved against newly lost problems, greedy.
        bins: Gains by how hard problems are, easiest first.
        regression: Whether the whole interval of the greedy difference lies below zero.
        crossing: The k of which pass@k is lower, by its whole interval.
        solved: Texts of some newly solved problems.
        lost: Of some newly lost ones.
    """

    metrics: dict[str, Interval]
    mcnemar: CorrectedMcNemar
    bins: list[Bin]
    regression: bool
    crossing: list[int]
    solved: list[Change]
    lost: list[Change]

    @property
    def greedy(self) -> Interval | None:
        """The difference in greedy accuracy; None where no problem was tried by both."""
        return self.metrics.get("greedy")

    def groups(self, before: str, after: str) -> list[SolutionGroup]:
        """Newly solved and newly lost problems; `before` and `after` name the policies."""
        totals = (self.mcnemar.solved, self.mcnemar.lost)
        return changed_groups(totals, self.solved, self.lost, after, before)


def mcnemar_cells(found: Comparison) -> list[str]:
    """Cells under TEST_TITLES."""
    test = found.mcnemar
    mark = "regression" if found.regression else ""
    cells = [change_cell(found.greedy), str(test.solved), str(test.lost)]
    return [*cells, p_value(test.p), p_value(test.p_holm), mark]


def bin_rows(found: Comparison) -> list[list[str]]:
    """Rows under BIN_TITLES, easiest problems first."""
    return [
        [
            one.bin,
            str(one.problems),
            percent(one.before),
            percent(one.after),
            change_cell(one.difference),
        ]
        for one in found.bins
    ]


def changed_groups(
    totals: tuple[int, int],
    solved: Sequence[Change],
    lost: Sequence[Change],
    after: str,
    before: str = "Base policy",
    prefix: str = "Newly",
) -> list[SolutionGroup]:
    """Newly solved and newly lost problems.

    Args:
        totals: How many there are of each; some are shown.
        after: Name of the policy.
        before: Name of the one that it is compared with.
        prefix: In front of the titles.
    """
    groups = []
    for kind, total, items, was, now in (
        ("solved", totals[0], solved, "wrong", "right"),
        ("lost", totals[1], lost, "right", "wrong"),
    ):
        shown = [
            ShownSolution(
                item.id,
                item.question,
                item.reference,
                policy=after,
                after=item.after,
                after_mark=now,
                before=item.before,
                before_mark=was,
                before_policy=before,
            )
            for item in items
        ]
        title = f"{prefix} {kind} ({total} in all, {len(items)} shown)"
        groups.append(SolutionGroup(title, shown))
    return groups


def p_value(value: float) -> str:
    """The p of a test."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
