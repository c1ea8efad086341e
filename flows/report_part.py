"""What the sections of the report page share: their form, and marks of policies in charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from markupsafe import Markup

from flows.charts import Labels, Point, Series, bar_chart
from flows.report_view import View
from flows.report_words import (
    Json,
    by_size,
    name,
    short,
)

NOT_MEASURED = "Nothing of this was measured in this run."
GREY = 6
# What a bar chart shows of a policy: by level, a share of 1 and its text.
Shares = dict[str, tuple[float, str]]


@dataclass
class Part:
    """One section: a title, a note, and what it shows."""

    title: str
    note: str = ""
    charts: list[Markup] = field(default_factory=list)
    table: Json | None = None
    groups: list[Json] = field(default_factory=list)
    kind: str = ""
    folded: str = ""

    def or_nothing(self) -> Part:
        """Say so where there is nothing to show."""
        if not self.charts and not self.table and not self.groups:
            self.note = NOT_MEASURED
        return self


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


def charts(*drawn: str) -> list[Markup]:
    """Charts for the template; the chart functions escape every text they are given."""
    return [Markup(chart) for chart in drawn if chart]
