"""Curves that several reports draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.report.charts import Axes, Series, line_chart
from flows.report.palette import GREY, line_colour
from flows.report.panel import Panel, charts
from flows.report.values import pass_sizes, point
from tasks.evaluate.intervals import Interval

CHANCE = "Chance that one of k samples is right (unbiased estimate)."


@dataclass(frozen=True)
class PolicyCurve:
    """A policy in a chart: its name, its colour, its metrics; the one compared with is dashed."""

    name: str
    colour: int
    metrics: Mapping[str, Interval]
    dashed: bool = False


def pass_at_k_panel(
    title: str, policies: Sequence[PolicyCurve], where: str = "", note: str = CHANCE
) -> Panel:
    """pass@k of policies over k (figure 5); `where` is such as ` on gsm8k`."""
    series = [
        Series(
            one.name,
            one.colour,
            [
                point(math.log2(k), one.metrics[f"pass@{k}"], f"{one.name}, pass@{k}")
                for k in pass_sizes(one.metrics)
            ],
            dashed=one.dashed,
        )
        for one in policies
    ]
    sizes = pass_sizes({name for one in policies for name in one.metrics})
    axes = Axes(
        f"pass at k{where}",
        "Chance that at least one of k samples is right, by policy.",
        "k, samples a problem (log scale)",
        "pass@k",
        [(math.log2(k), str(k)) for k in sizes],
    )
    return Panel(title, note, charts(line_chart(series, axes))).or_nothing()


def turn_colour(place: int) -> int:
    """Grey for the first, which is compared with; the others take the other colours in turn."""
    return line_colour(place - 1) if place else GREY
