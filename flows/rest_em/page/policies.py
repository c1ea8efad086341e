"""Marks of policies in charts: colours, bars by level, ticks of iterations."""

from __future__ import annotations

from collections.abc import Callable

from flows.report.charts import Labels, Point, Series, bar_chart
from flows.report.part import GREY
from flows.report.values import by_size, name, short
from flows.rest_em.page.view import View
from tasks.rows import Json

# What a bar chart shows of a policy: by level, a share of 1 and its text.
Shares = dict[str, tuple[float, str]]


def level_bars(view: View, values: Callable[[Json], Shares], title: str, unit: str) -> str:
    """Bars grouped by level of difficulty, one for each policy."""
    found = [(now, values(now)) for now in view.shown()]
    levels = by_size(list({key for _, of in found for key in of}))
    series = [
        Series(
            name(now),
            colour(now),
            [
                Point(levels.index(key), value, f"{name(now)}, level {key or 'none'}: {tip}")
                for key, (value, tip) in of.items()
            ],
        )
        for now, of in found
    ]
    ticks = [(float(i), level or "none") for i, level in enumerate(levels)]
    return bar_chart(
        series, Labels(title, f"{title}, by policy.", "level of difficulty", unit, ticks)
    )


def colour(now: Json) -> int:
    """The base is grey; iterations take the other colours in turn."""
    return (now["iteration"] - 1) % GREY if now["iteration"] else GREY


def iteration_ticks(view: View) -> list[tuple[float, str]]:
    """Policies on an x axis."""
    return [(float(now["iteration"]), short(now)) for now in view.iterations]
