"""Small SVG charts for pages: lines with interval bands, grouped bars, stacked bars.

Every mark carries its text in `data-tip` (shown by the page's script) and every chart a title and a
description for screen readers. All text is escaped by `clear`; palette.py says what
a colour means. Charts know nothing of the algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from flows.report.chart_frame import Canvas, finished, frame, nice_ticks
from flows.report.chart_parts import Axes, Key, clear, legend, marker, svg

__all__ = [
    "Axes",
    "Part",
    "Point",
    "Series",
    "bar_chart",
    "line_chart",
    "nice_ticks",
    "stacked_bars",
]
# More bars than these are no longer told apart on half a page.
_MOST_BARS = 24
# A line without markers has so many places that say their value.
_MOST_TIPS = 40


@dataclass(frozen=True)
class Point:
    """A value at x, with its interval where it has one, and the text shown for it."""

    x: float
    y: float
    tip: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """A named line or set of bars, in a colour of palette.py."""

    name: str
    colour: int
    points: Sequence[Point]
    dashed: bool = False
    markers: bool = True


class Part(NamedTuple):
    """A part of a stacked bar, and the text shown for it.

    Attributes:
        samples: The address of the samples that are counted, as `data-samples` of a page has it;
            empty: there is none.
    """

    colour: int
    amount: float
    tip: str
    samples: str = ""


def line_chart(series: Sequence[Series], axes: Axes, *, standalone: bool = False) -> str:
    """Lines over x with bands and whiskers for intervals; an empty text without any point.

    A single line has no name, but for what is left of several that were meant.
    """
    several = len(series) > 1
    series = [s for s in series if s.points]
    if not series:
        return ""
    points = [p for s in series for p in s.points]
    ys = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    xs = [p.x for p in points] + [x for x, _ in axes.ticks]
    pad = 0.06 * (max(xs) - min(xs)) or 0.5
    keys = [Key(s.name, s.colour, s.dashed, s.markers) for s in series if several]
    canvas = frame(axes, keys, (min(xs) - pad, max(xs) + pad), ys, all_labels=False)
    canvas.parts += [_band(canvas, s) for s in series]
    canvas.parts += [_line(canvas, s) for s in series]
    return finished(canvas, standalone)


def bar_chart(series: Sequence[Series], axes: Axes, *, standalone: bool = False) -> str:
    """Bars from zero, grouped by x (whole numbers); an empty text without any point.

    Many bars make a wide chart.
    """
    shown = [s for s in series if s.points]
    if not shown:
        return ""
    if len(axes.ticks) * len(shown) > _MOST_BARS:
        axes = replace(axes, wide=True)
    points = [p for s in shown for p in s.points]
    xs = [x for x, _ in axes.ticks]
    ys = [0.0, *(p.y if p.high is None else p.high for p in points)]
    # Shares have no less than nothing; differences may be negative.
    ys += [p.y if p.low is None else p.low for p in points if p.y < 0 or axes.signed]
    keys = [Key(s.name, s.colour, square=True) for s in shown if len(series) > 1]
    canvas = frame(axes, keys, (min(xs) - 0.5, max(xs) + 0.5), ys, all_labels=True)
    width = min((canvas.x(1) - canvas.x(0)) * 0.8 / len(shown), 36.0)
    for place, s in enumerate(shown):
        for p in s.points:
            _bar(canvas, p, s.colour, canvas.x(p.x) + (place - len(shown) / 2) * width, width)
    return finished(canvas, standalone)


def stacked_bars(
    rows: Sequence[tuple[str, Sequence[Part]]],
    axes: Axes,
    names: Sequence[tuple[int, str]],
) -> str:
    """Horizontal bars of stacked parts.

    Args:
        rows: (label, parts).
        names: Of the colours, in the order of the legend.
    """
    longest = max((sum(part.amount for part in parts) for _, parts in rows), default=0.0)
    if longest <= 0:
        return ""
    drawn, top = legend([Key(name, colour, square=True) for colour, name in names], axes.width)
    step, left = 26.0, 92.0
    end = top + step * len(rows)
    ticks = nice_ticks(0.0, longest)
    scale = (axes.width - left - 24) / ticks[-1]
    out = [drawn]
    for tick in ticks:
        x = left + tick * scale
        out.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{end}"/>'
            f'<text x="{x:.1f}" y="{end + 16}" text-anchor="middle">{tick:,g}</text>'
        )
    for number, (label, parts) in enumerate(rows):
        y, x = top + number * step, left
        out.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{clear(label)}</text>')
        for part in parts:
            bar = (
                f'<rect class="bar mark s{part.colour}" x="{x:.1f}" y="{y + 4}" '
                f'width="{max(part.amount * scale - 0.8, 0.4):.1f}" height="18" '
                f'data-tip="{clear(part.tip)}"/>'
            )
            if part.samples:
                bar = f'<a data-samples="{clear(part.samples)}">{bar}</a>'
            out.append(bar)
            x += part.amount * scale
    middle = (left + axes.width - 24) / 2
    at = f'x="{middle}" y="{end + 36}"'
    out.append(f'<text class="title" {at} text-anchor="middle">{clear(axes.x)}</text>')
    return svg(axes, out, end + 44)


def _bar(canvas: Canvas, p: Point, colour: int, x: float, width: float) -> None:
    top = canvas.y(max(p.y, 0)) - 1
    height = abs(canvas.y(0) - canvas.y(p.y))
    # A share of nothing still shows that it was measured.
    canvas.parts.append(
        f'<rect class="bar mark s{colour}" x="{x + 1:.1f}" y="{top:.1f}" '
        f'width="{max(width - 2, 1):.1f}" height="{height + 1:.1f}" data-tip="{clear(p.tip)}"/>'
    )
    if p.low is not None and p.high is not None:
        middle = x + width / 2
        canvas.parts.append(
            f'<line class="whisker s{colour} over" x1="{middle:.1f}" x2="{middle:.1f}" '
            f'y1="{canvas.y(p.low):.1f}" y2="{canvas.y(p.high):.1f}"/>'
        )


def _band(canvas: Canvas, series: Series) -> str:
    bounds = [(p.x, p.low, p.high) for p in series.points if p.low is not None]
    if not bounds:
        return ""
    upper = [f"{canvas.x(x):.1f},{canvas.y(high or 0.0):.1f}" for x, _, high in bounds]
    lower = [f"{canvas.x(x):.1f},{canvas.y(low or 0.0):.1f}" for x, low, _ in bounds]
    return f'<polygon class="band s{series.colour}" points="{" ".join(upper + lower[::-1])}"/>'


def _line(canvas: Canvas, series: Series) -> str:
    places = " ".join(f"{canvas.x(p.x):.1f},{canvas.y(p.y):.1f}" for p in series.points)
    dashed = " dashed" if series.dashed else ""
    out = [f'<polyline class="line{dashed}" points="{places}"/>']
    every = 1 if series.markers else -(-len(series.points) // _MOST_TIPS)
    for number, p in enumerate(series.points):
        x, y = canvas.x(p.x), canvas.y(p.y)
        if p.low is not None and p.high is not None:
            out.append(
                f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{canvas.y(p.low):.1f}" '
                f'y2="{canvas.y(p.high):.1f}"/>'
            )
        if series.markers:
            out.append(marker(series.colour, x, y))
        if p.tip and number % every == 0:
            # A larger target for the pointer than the mark itself.
            out.append(
                f'<circle class="target" cx="{x:.1f}" cy="{y:.1f}" r="11" fill="transparent" '
                f'data-tip="{clear(p.tip)}"/>'
            )
    return f'<g class="s{series.colour}">{"".join(out)}</g>'
