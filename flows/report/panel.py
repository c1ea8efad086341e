"""What pages are made of: panels with charts, tables and solutions to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

from tasks.evaluate.intervals import Interval

NOT_MEASURED = "Nothing of this was measured in this run."
GREY = 6


@dataclass(frozen=True)
class Table:
    """Titles of columns, and rows of as many cells; the first cell of a row is its title."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]


@dataclass(frozen=True)
class ShownSolution:
    """A problem with a solution, and perhaps an earlier one beside it.

    Attributes:
        reference: In a few words.
        after_mark: How it was graded, such as `right`.
        before: Text of the earlier solution; empty: there is none.
        before_mark: How that was graded.
        before_policy: Whose it is.
        more: Further texts, each with its title.
    """

    id: str
    question: str
    reference: str
    policy: str
    after: str
    after_mark: str
    before: str = ""
    before_mark: str = ""
    before_policy: str = "Base policy"
    more: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class SolutionGroup:
    """Solutions under one title."""

    title: str
    problems: Sequence[ShownSolution]


@dataclass
class Panel:
    """One section of a page: a title, a note, and what it shows.

    Attributes:
        kind: `long` goes over the whole width, `prose` wraps its cells; empty: neither.
        folded: Words to click on, behind which the table is; empty: it is open.
    """

    title: str
    note: str = ""
    charts: list[Markup] = field(default_factory=list)
    table: Table | None = None
    groups: list[SolutionGroup] = field(default_factory=list)
    kind: Literal["", "long", "prose"] = ""
    folded: str = ""

    def __post_init__(self) -> None:
        """A table without rows is none."""
        if self.table and not self.table.rows:
            self.table = None

    def or_nothing(self) -> Panel:
        """Say so where there is nothing to show."""
        if not self.charts and not self.table and not self.groups:
            self.note = NOT_MEASURED
        return self


@dataclass(frozen=True)
class Tile:
    """A large number with a caption."""

    value: str
    text: str
    tone: Literal["", "up", "down"] = ""


def charts(*drawn: str) -> list[Markup]:
    """Charts for the template; the chart functions escape every text they are given."""
    return [Markup(chart) for chart in drawn if chart]


def tone_of(difference: Interval | None) -> Literal["", "up", "down"]:
    """Up or down where a whole interval lies above or below zero."""
    if difference is None:
        return ""
    return "up" if difference.low > 0 else "down" if difference.high < 0 else ""
