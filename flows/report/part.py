"""What the sections of the report page share: their form, and marks of policies in charts."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from tasks.rows import Json

NOT_MEASURED = "Nothing of this was measured in this run."
GREY = 6


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


def charts(*drawn: str) -> list[Markup]:
    """Charts for the template; the chart functions escape every text they are given."""
    return [Markup(chart) for chart in drawn if chart]


def tile(value: str, text: str, tone: str = "") -> Json:
    """A large number with a caption; tone is up, down or empty."""
    return {"value": value, "text": text, "tone": tone}
