"""Figures of studies, drawn as the paper draws its own: each a function of the results.

A study names what is drawn; intervals are those over seeds. Positions on an x axis are policies,
arms, or numbers (on a scale of powers of two).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from flows.report.charts import Axes, Point, Series, bar_chart, line_chart
from flows.report.palette import AMBER, BROWN, INK, OLIVE, PARTS, PINK, line_colour, policy_colour
from flows.report.values import hundredths
from flows.study.quantities import of
from flows.study.results import Figure, Results

ACCURACY = "problems solved (greedy)"
# What is measured has one colour in all figures.
_METRICS = {"greedy": INK, "train": AMBER, "transfer": PINK, "pass@1": BROWN, "maj@8": OLIVE}

# Draws a figure; `standalone` brings the picture's own page, for files.
DrawFigure = Callable[[Results, bool], Figure]


def by_iteration(title: str, lines: Mapping[str, tuple[str, str]], y: str = ACCURACY) -> DrawFigure:
    """Lines over iterations (figures 2 to 4 and 7): legend → (arm, metric)."""

    def draw(results: Results, standalone: bool) -> Figure:
        series, most = [], 0
        colours = _colours([metric for _, metric in lines.values()])
        for colour, (name, (arm, metric)) in zip(colours, lines.items(), strict=True):
            if arm not in results.arms:
                continue
            spots = {at: float(at) for at in range(results.policies(arm))}
            most = max(most, len(spots))
            found = _points(results, {x: (arm, metric, at) for at, x in spots.items()}, name)
            series.append(Series(name, colour, found))
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
        colours = _colours(list(metrics.values()))
        for colour, (name, metric) in zip(colours, metrics.items(), strict=True):
            spots = {float(i): (arm, metric, at) for i, (arm, at) in enumerate(groups.values())}
            series.append(Series(name, colour, _points(results, spots, name)))
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
        firsts = [next(iter(spots.values())) for spots in lines.values()]
        policies = [at for _, _, at in firsts]
        colours = _colours([metric for _, metric, _ in firsts])
        if len(set(policies)) == len(policies) > 1:
            colours = [policy_colour(at) for at in policies]
        for colour, (name, spots) in zip(colours, lines.items(), strict=True):
            found = _points(results, {math.log2(n): spot for n, spot in spots.items()}, name)
            numbers |= set(spots)
            series.append(Series(name, colour, found))
        ticks = [(math.log2(n), str(n)) for n in sorted(numbers)]
        return _drawn(line_chart, series, title, x, y, ticks, standalone)

    return draw


def _colours(metrics: Sequence[str]) -> list[int]:
    """Of lines or bars that show these: by metric, or by place where they show the same."""
    if len(set(metrics)) < len(metrics):
        return [line_colour(place) for place in range(len(metrics))]
    own = {_METRICS.get(metric.partition(":")[0]): metric for metric in metrics[::-1]}
    free = (colour for colour in PARTS if colour not in own)
    known = {metric: colour for colour, metric in own.items() if colour is not None}
    return [known[metric] if metric in known else next(free) for metric in metrics]


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
        tip = f"{name}, {arm}: {hundredths(mean.value)} [{hundredths(low)}, {hundredths(high)}]"
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
