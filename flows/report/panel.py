"""What pages are made of: panels with charts, tables and solutions to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from tasks.evaluate.intervals import Interval

# Characters of a row that fit half a page, the space around cells included.
_HALF = 72
_CELL_SPACE = 3


@dataclass(frozen=True)
class Table:
    """Titles of columns, and rows of as many cells; the first cell of a row is its title."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]

    @property
    def width(self) -> int:
        """Characters of a line, each column as wide as its widest cell; tags count for nothing."""
        columns = zip(self.head, *self.rows, strict=True)
        return sum(max(len(_words(cell)) for cell in of) + _CELL_SPACE for of in columns)


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
        absent: Whether nothing of it was measured, so that its title alone is told.
    """

    title: str
    note: str = ""
    charts: list[Markup] = field(default_factory=list)
    table: Table | None = None
    groups: list[SolutionGroup] = field(default_factory=list)
    kind: Literal["", "long", "prose"] = ""
    folded: str = ""
    absent: bool = False

    def __post_init__(self) -> None:
        """A table without rows is none."""
        if self.table and not self.table.rows:
            self.table = None

    def or_nothing(self) -> Panel:
        """Note where there is nothing to show."""
        if not self.charts and not self.table and not self.groups:
            self.absent = True
        return self

    @property
    def half(self) -> bool:
        """Whether it fits beside another one."""
        wide = any('class="chart wide"' in chart for chart in self.charts)
        narrow = self.table is None or self.table.width <= _HALF
        return not (wide or self.groups or self.kind == "prose" or self.folded) and narrow

    @property
    def drawn(self) -> bool:
        """Whether it is half as wide and has charts alone, which fit three in a row."""
        return self.half and bool(self.charts) and not self.table


@dataclass(frozen=True)
class Tile:
    """A large number with a caption."""

    value: str
    text: str
    tone: Literal["", "up", "down"] = ""


def layout(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Panels in rows: those that are half as wide in twos, or three charts where one was left."""
    rows: list[list[Panel]] = []
    for panel in (one for one in panels if not one.absent):
        last = rows[-1] if rows else []
        if panel.half and last and last[0].half and len(last) < 2:
            last.append(panel)
        else:
            rows.append([panel])
    for before, row in pairwise(rows):
        # A table of three would be too narrow.
        if len(before) == 2 and len(row) == 1 and all(one.drawn for one in (*before, *row)):
            before.append(row.pop())
    return [row for row in rows if row]


def charts(*drawn: str) -> list[Markup]:
    """Charts for the template; the chart functions escape every text they are given."""
    return [Markup(chart) for chart in drawn if chart]


def tone_of(difference: Interval | None) -> Literal["", "up", "down"]:
    """Up or down where a whole interval lies above or below zero."""
    if difference is None:
        return ""
    return "up" if difference.low > 0 else "down" if difference.high < 0 else ""


def _words(cell: str | int | float) -> str:
    return str(Markup(cell).striptags()) if isinstance(cell, Markup) else str(cell)
