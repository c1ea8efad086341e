"""Figures of studies, drawn as the paper draws its own: each a function of the results.

A study names what is drawn; intervals are those over seeds. Positions on an x axis are policies,
arms, or numbers (on a scale of powers of two).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from flows.report.charts import Axes, Point, Series, bar_chart, line_chart
from flows.study.quantities import of
from flows.study.results import Figure, Results

ACCURACY = "problems solved (greedy)"


# Draws a figure; `standalone` brings the picture's own page, for files.
DrawFigure = Callable[[Results, bool], Figure]


def by_iteration(title: str, lines: Mapping[str, tuple[str, str]], y: str = ACCURACY) -> DrawFigure:
    """Lines over iterations (figures 2 to 4 and 7): legend → (arm, metric)."""

    def draw(results: Results, standalone: bool) -> Figure:
        series, most = [], 0
        for place, (name, (arm, metric)) in enumerate(lines.items()):
            if arm not in results.arms:
                continue
            spots = {at: float(at) for at in range(results.policies(arm))}
            most = max(most, len(spots))
            found = _points(results, {x: (arm, metric, at) for at, x in spots.items()}, name)
            series.append(Series(name, place, found))
        ticks = [(float(i), f"p{i}" if i else "base") for i in range(most)]
        return _drawn(line_chart, series, title, "policy", y, ticks, standalone)

    return draw


def bars(
    title: str,
    groups: Mapping[str, tuple[str, int]],
    metrics: Mapping[str, str],
    y: str = "problems solved",
    x: str = "",
) -> DrawFigure:
    """Grouped bars (figures 6, 8 and 9): tick → (arm, policy), legend → metric."""

    def draw(results: Results, standalone: bool) -> Figure:
        series = []
        for place, (name, metric) in enumerate(metrics.items()):
            spots = {float(i): (arm, metric, at) for i, (arm, at) in enumerate(groups.values())}
            series.append(Series(name, place, _points(results, spots, name)))
        ticks = [(float(i), tick) for i, tick in enumerate(groups)]
        signed = any(metric.startswith("bin") for metric in metrics.values())
        return _drawn(bar_chart, series, title, x, y, ticks, standalone, signed=signed)

    return draw


def over_numbers(
    title: str, lines: Mapping[str, Mapping[int, tuple[str, str, int]]], x: str, y: str = ACCURACY
) -> DrawFigure:
    """Lines over a number that doubles (figure 5): legend → number → (arm, metric, policy)."""

    def draw(results: Results, standalone: bool) -> Figure:
        series, numbers = [], set()
        for place, (name, spots) in enumerate(lines.items()):
            found = _points(results, {math.log2(n): spot for n, spot in spots.items()}, name)
            numbers |= set(spots)
            series.append(Series(name, place, found))
        ticks = [(math.log2(n), str(n)) for n in sorted(numbers)]
        return _drawn(line_chart, series, title, x, y, ticks, standalone)

    return draw


def _points(
    results: Results, spots: Mapping[float, tuple[str, str, int]], name: str
) -> list[Point]:
    """Means over seeds, each with its interval, where there is something."""
    points = []
    for x, (arm, metric, at) in sorted(spots.items()):
        mean = results.mean(of(arm, metric, at))
        if mean is None:
            continue
        low, high = mean.low, mean.high
        if 0 <= mean.value <= 1 and not metric.startswith(("gap", "bin")):
            low, high = max(low, 0.0), min(high, 1.0)  # a share has no more
        tip = f"{name}, {arm}: {100 * mean.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        points.append(Point(x, mean.value, tip, low, high))
    return points


def _drawn(
    chart: Callable[..., str],
    series: Sequence[Series],
    title: str,
    x: str,
    y: str,
    ticks: Sequence[tuple[float, str]],
    standalone: bool,
    *,
    signed: bool = False,
) -> Figure:
    text = f"{title}. Whiskers and bands are 95% intervals over seeds."
    axes = Axes(title, text, x, y, ticks, signed=signed)
    return Figure(title, chart([s for s in series if s.points], axes, standalone=standalone))
