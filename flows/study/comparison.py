"""A study's table of arms against one of them: differences, intervals, and Holm's p."""

from __future__ import annotations

from dataclasses import dataclass

from flows.report.panel import Table
from flows.report.values import between, change_cell, hundredths
from flows.study.design import Comparison
from flows.study.quantities import better
from flows.study.results import Results
from tasks.evaluate.intervals import Interval
from tasks.evaluate.over_seeds import holm, p_of_mean

# Below it a difference is marked.
_LEVEL = 0.05
COMPARISON_NOTE = (
    "Points of accuracy of the last policy minus those of the same seed, with intervals over "
    "seeds. *: p < 0.05 by a paired t-test over seeds, adjusted for all rows of the column by "
    "Holm's rule."
)


@dataclass(frozen=True)
class Difference:
    """Of an arm to the one that it is held against, over seeds.

    Attributes:
        mean: With its interval.
        p: Of the paired t-test over seeds, adjusted for all arms of the column.
    """

    mean: Interval
    p: float


def differences(comparison: Comparison, results: Results) -> dict[tuple[str, str], Difference]:
    """By arm and title of the column; what was not measured is left out."""
    found: dict[tuple[str, str], Difference] = {}
    for title, metric in comparison.metrics.items():
        tested: list[tuple[str, Interval, float]] = []
        for arm in comparison.arms:
            quantity = better(arm, comparison.against, metric)
            mean = results.mean(quantity)
            values = [quantity(results, seed) for seed in results.seeds]
            if mean is not None:
                p = p_of_mean([value for value in values if value is not None])
                tested.append((arm, mean, p))
        adjusted = holm([p for _, _, p in tested])
        for (arm, mean, _), p in zip(tested, adjusted, strict=True):
            found[arm, title] = Difference(mean, p)
    return found


def comparison_table(comparison: Comparison, results: Results) -> Table:
    """The table: a row an arm, that which the others are held against first."""
    found = differences(comparison, results)
    rows: list[list[str]] = [
        [
            f"{comparison.against} (the others minus this)",
            *(
                _value(results, comparison.against, metric)
                for metric in comparison.metrics.values()
            ),
            _rows(results, comparison.against),
        ]
    ]
    for arm in comparison.arms:
        cells = (_cell(found.get((arm, title))) for title in comparison.metrics)
        rows.append([arm, *cells, _rows(results, arm)])
    return Table(["", *comparison.metrics, "rows trained on"], rows)


def _value(results: Results, arm: str, metric: str) -> str:
    mean = results.mean(lambda found, seed: found.value(arm, seed, metric))
    if mean is None:
        return "–"
    return f"{hundredths(mean.value)} {between(mean)}"


def _cell(one: Difference | None) -> str:
    if one is None:
        return "–"
    return change_cell(one.mean) + (" *" if one.p < _LEVEL else "")


def _rows(results: Results, arm: str) -> str:
    mean = results.mean(lambda found, seed: found.value(arm, seed, "rows"))
    return f"{mean.value:,.0f}" if mean is not None else "–"
