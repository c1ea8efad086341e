"""Marks of policies in charts: colours, bars by level, ticks of iterations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flows.report.charts import Axes, Point, Series, bar_chart
from flows.report.palette import policy_colour
from flows.report.values import by_size, policy_tick, policy_title
from flows.rest_em.results import PolicyReport

# What a bar chart shows of a policy: by level, a share of 1 and its text.
Shares = dict[str, tuple[float, str]]


def shown_policies(policies: Sequence[PolicyReport]) -> Sequence[PolicyReport]:
    """Policies that fit one chart: the base and the last five."""
    return policies if len(policies) <= 6 else [policies[0], *policies[-5:]]


def level_bars(
    policies: Sequence[PolicyReport],
    values: Callable[[PolicyReport], Shares],
    title: str,
    unit: str,
) -> str:
    """Bars grouped by level of difficulty, one for each policy."""
    found = [(now.iteration, values(now)) for now in shown_policies(policies)]
    levels = by_size(list({key for _, of in found for key in of}))
    series = []
    for number, of in found:
        name = policy_title(number)
        points = [
            Point(levels.index(key), value, f"{name}, level {key or 'none'}: {tip}")
            for key, (value, tip) in of.items()
        ]
        series.append(Series(name, policy_colour(number), points))
    ticks = [(float(i), level or "none") for i, level in enumerate(levels)]
    axes = Axes(title, f"{title}, by policy.", "level of difficulty", unit, ticks)
    return bar_chart(series, axes)


def iteration_ticks(policies: Sequence[PolicyReport]) -> list[tuple[float, str]]:
    """Policies on an x axis."""
    return [(float(now.iteration), policy_tick(now.iteration)) for now in policies]
