"""Small SVG charts for the report: lines with interval bands, grouped bars, stacked bars.

Colours are the Okabe-Ito set, as CSS variables that the page sets for light and dark; lines also
have markers of different shapes. Every mark carries its text in `data-tip` (shown by the page's
script) and every chart a title and a description for screen readers. All text is escaped here.
Charts know nothing of the algorithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, BOTTOM = 56, 16, 46
# Average width of a character of 12-pixel sans-serif type.
# (Digits and capitals are wider, and names in a legend that touch cannot be read.)
_CHAR = 7.2
COLOURS = 7
# Standalone charts (pictures in a Prefect artifact) bring their own light page.
STYLE = """
.chart{--ink:#1f2430;--dim:#5b6270;--grid:#d9dce3;font:12px system-ui,sans-serif}
.s0{--c:#0072B2}.s1{--c:#D55E00}.s2{--c:#009E73}.s3{--c:#CC79A7}.s4{--c:#E69F00}.s5{--c:#56B4E9}
.s6{--c:#6b7280}.chart text{fill:var(--dim)}.chart .grid{stroke:var(--grid)}
.chart .axis{stroke:var(--dim)}.line{fill:none;stroke:var(--c);stroke-width:2}
.dashed{stroke-dasharray:5 4}.band{fill:var(--c);opacity:.14}.whisker{stroke:var(--c)}
.over{stroke:var(--ink)}.dot,.bar{fill:var(--c)}
"""


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
    """A named line or set of bars; `colour` is 0 to 6, of which 6 is grey."""

    name: str
    colour: int
    points: Sequence[Point]
    dashed: bool = False
    markers: bool = True


@dataclass(frozen=True)
class Axes:
    """The axes of a chart, and its words.

    Attributes:
        title: For screen readers.
        description: A sentence for screen readers.
        x: Words at the x axis.
        y: Words at the y axis.
        ticks: (position, text) on the x axis.
        percent: Whether y is a share of 1.
        signed: Whether bars are differences, whose intervals may reach below zero.
    """

    title: str
    description: str
    x: str
    y: str
    ticks: Sequence[tuple[float, str]]
    percent: bool = True
    signed: bool = False


@dataclass
class _Canvas:
    """Maps data to pixels and collects the pieces."""

    axes: Axes
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    top: float
    parts: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.top + (high - value) / (high - low) * (HEIGHT - BOTTOM - self.top)


def line_chart(series: Sequence[Series], axes: Axes, *, standalone: bool = False) -> str:
    """Lines over x with bands and whiskers for intervals; an empty text without any point."""
    series = [s for s in series if s.points]
    if not series:
        return ""
    points = [p for s in series for p in s.points]
    ys = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    xs = [p.x for p in points] + [x for x, _ in axes.ticks]
    pad = 0.06 * (max(xs) - min(xs)) or 0.5
    legend, top = _legend(series)
    canvas = _Canvas(axes, (min(xs) - pad, max(xs) + pad), (min(ys), max(ys)), top)
    _frame(canvas, ys)
    for s in series:
        canvas.parts.append(_band(canvas, s))
    for s in series:
        canvas.parts.append(_line(canvas, s))
    return _svg(axes, [*canvas.parts, legend], standalone)


def bar_chart(series: Sequence[Series], axes: Axes, *, standalone: bool = False) -> str:
    """Bars from zero, grouped by x (whole numbers); an empty text without any point."""
    series = [s for s in series if s.points]
    if not series:
        return ""
    points = [p for s in series for p in s.points]
    xs = [x for x, _ in axes.ticks]
    legend, top = _legend(series, squares=True)
    ys = [0.0, *(p.y if p.high is None else p.high for p in points)]
    # Shares have no less than nothing; differences may be negative.
    ys += [p.y if p.low is None else p.low for p in points if p.y < 0 or axes.signed]
    canvas = _Canvas(axes, (min(xs) - 0.5, max(xs) + 0.5), (min(ys), max(ys)), top)
    _frame(canvas, ys)
    slot = (canvas.x(1) - canvas.x(0)) * 0.8
    width = min(slot / len(series), 36.0)
    for place, s in enumerate(series):
        for p in s.points:
            x = canvas.x(p.x) + (place - len(series) / 2) * width
            top_edge = canvas.y(max(p.y, 0)) - 1
            height = abs(canvas.y(0) - canvas.y(p.y))
            # A share of nothing still shows that it was measured.
            canvas.parts.append(
                f'<rect class="bar mark s{s.colour}" x="{x + 1:.1f}" y="{top_edge:.1f}" '
                f'width="{max(width - 2, 1):.1f}" height="{height + 1:.1f}" '
                f'data-tip="{_text(p.tip)}"/>'
            )
            if p.low is not None and p.high is not None:
                middle = x + width / 2
                canvas.parts.append(
                    f'<line class="whisker s{s.colour} over" x1="{middle:.1f}" x2="{middle:.1f}" '
                    f'y1="{canvas.y(p.low):.1f}" y2="{canvas.y(p.high):.1f}"/>'
                )
    return _svg(axes, [*canvas.parts, legend], standalone)


def stacked_bars(
    rows: Sequence[tuple[str, Sequence[tuple[int, float, str]]]],
    axes: Axes,
    names: Sequence[tuple[int, str]],
) -> str:
    """Horizontal bars of stacked parts: rows of (label, [(series, amount, tip), ...])."""
    longest = max((sum(a for _, a, _ in parts) for _, parts in rows), default=0.0)
    if longest <= 0:
        return ""
    legend, top = _legend([Series(n, i % COLOURS, []) for i, n in names], squares=True)
    step = 26.0
    height = top + step * len(rows) + BOTTOM
    left = 92.0
    ticks = nice_ticks(0.0, longest)
    scale = (WIDTH - left - RIGHT - 8) / ticks[-1]
    out = []
    for tick in ticks:
        x = left + tick * scale
        out.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - BOTTOM}"/>'
            f'<text x="{x:.1f}" y="{height - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>'
        )
    for number, (label, parts) in enumerate(rows):
        y, x = top + number * step, left
        out.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{_text(label)}</text>')
        for colour, amount, tip in parts:
            out.append(
                f'<rect class="bar mark s{colour % COLOURS}" x="{x:.1f}" y="{y + 4}" '
                f'width="{max(amount * scale - 0.8, 0.4):.1f}" height="18" '
                f'data-tip="{_text(tip)}"/>'
            )
            x += amount * scale
    middle = (left + WIDTH - RIGHT) / 2
    out.append(
        f'<text x="{middle}" y="{height - 8}" text-anchor="middle">{_text(axes.x)}</text>{legend}'
    )
    return _svg(axes, out, False, height)


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that enclose [low, high], about `wanted` of them."""
    span = high - low or abs(high) or 1.0
    raw = span / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _frame(canvas: _Canvas, ys: Sequence[float]) -> None:
    """Axes, grid and their labels; sets the y range to round numbers."""
    axes = canvas.axes
    ticks = nice_ticks(min(ys), max(ys))
    canvas.y_range = (ticks[0], ticks[-1])
    for tick in ticks:
        y = canvas.y(tick)
        text = f"{100 * tick:.4g}%" if axes.percent else f"{tick:g}"
        kind = "axis" if tick == 0 else "grid"
        canvas.parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    room = (WIDTH - LEFT - RIGHT) / max(len(axes.ticks), 1)
    for place, text in axes.ticks:
        for number, line in enumerate(_lines(text, room)):
            canvas.parts.append(
                f'<text x="{canvas.x(place):.1f}" y="{HEIGHT - BOTTOM + 17 + 13 * number}" '
                f'text-anchor="middle">{_text(line)}</text>'
            )
    middle, side = (LEFT + WIDTH - RIGHT) / 2, (canvas.top + HEIGHT - BOTTOM) / 2
    canvas.parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{_text(axes.x)}</text>'
        f'<text transform="translate(13 {side:.0f}) rotate(-90)" text-anchor="middle">'
        f"{_text(axes.y)}</text>"
    )


def _lines(text: str, room: float) -> list[str]:
    """A tick's text, in two lines of about one length where one is too long for its place."""
    words = text.split()
    if _CHAR * len(text) < room or len(words) < 2:
        return [text]
    cuts = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    return list(min(cuts, key=lambda cut: max(map(len, cut))))


def _band(canvas: _Canvas, series: Series) -> str:
    bounds = [(p.x, p.low, p.high) for p in series.points if p.low is not None]
    if not bounds:
        return ""
    upper = [f"{canvas.x(x):.1f},{canvas.y(high or 0.0):.1f}" for x, _, high in bounds]
    lower = [f"{canvas.x(x):.1f},{canvas.y(low or 0.0):.1f}" for x, low, _ in bounds]
    return f'<polygon class="band s{series.colour}" points="{" ".join(upper + lower[::-1])}"/>'


def _line(canvas: _Canvas, series: Series) -> str:
    places = " ".join(f"{canvas.x(p.x):.1f},{canvas.y(p.y):.1f}" for p in series.points)
    dashed = " dashed" if series.dashed else ""
    out = [f'<polyline class="line{dashed}" points="{places}"/>']
    for p in series.points:
        x, y = canvas.x(p.x), canvas.y(p.y)
        if p.low is not None and p.high is not None:
            out.append(
                f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{canvas.y(p.low):.1f}" '
                f'y2="{canvas.y(p.high):.1f}"/>'
            )
        if series.markers:
            out.append(_marker(series.colour, x, y))
            # A larger target for the pointer than the mark itself.
            out.append(
                f'<circle class="target" cx="{x:.1f}" cy="{y:.1f}" r="11" fill="transparent" '
                f'data-tip="{_text(p.tip)}"/>'
            )
    return f'<g class="s{series.colour}">{"".join(out)}</g>'


def _marker(colour: int, x: float, y: float) -> str:
    """A shape for each colour: circle, square, triangle, diamond; grey has one of its own."""
    if colour == COLOURS - 1:
        place = f'x="{x - 5:.1f}" y="{y - 1.6:.1f}"'
        return f'<rect class="dot" {place} width="10" height="3.2" rx="1.6"/>'
    if colour % 4 == 0:
        return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if colour % 4 == 1:
        return f'<rect class="dot" x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"/>'
    corners = (
        [(0, -5), (4.6, 3.6), (-4.6, 3.6)]
        if colour % 4 == 2
        else [(0, -5.4), (4.8, 0), (0, 5.4), (-4.8, 0)]
    )
    places = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon class="dot" points="{places}"/>'


def _legend(series: Sequence[Series], *, squares: bool = False) -> tuple[str, float]:
    """Names in rows above the plot, and where the plot begins; none for a single series."""
    if len(series) < 2:
        return "", 14.0
    x, y, out = float(LEFT), 14.0, []
    for s in series:
        width = 26 + _CHAR * len(s.name)
        if x + width > WIDTH - RIGHT and x > LEFT:
            x, y = float(LEFT), y + 18
        name = f'<text x="{x + 21:.1f}" y="{y}">{_text(s.name)}</text>'
        out.append(f'<g class="s{s.colour}">{_key(s, x, y - 4, squares)}{name}</g>')
        x += width + 12
    return "".join(out), y + 16


def _key(series: Series, x: float, y: float, square: bool) -> str:
    """What a series looks like, 16 pixels wide."""
    if square:
        return f'<rect class="bar" x="{x + 3:.1f}" y="{y - 5:.1f}" width="11" height="11"/>'
    dashed = " dashed" if series.dashed else ""
    mark = _marker(series.colour, x + 8, y) if series.markers else ""
    return f'<line class="line{dashed}" x1="{x:.1f}" x2="{x + 16:.1f}" y1="{y}" y2="{y}"/>{mark}'


def _svg(axes: Axes, parts: Sequence[str], standalone: bool, height: float = HEIGHT) -> str:
    head = f'class="chart" viewBox="0 0 {WIDTH} {height:g}" role="img"'
    paper = ""
    if standalone:
        head += f' xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}"'
        paper = f'<style>{STYLE}</style><rect width="100%" height="100%" rx="8" fill="#fff"/>'
    name = escape(f"{axes.title}. {axes.description}", quote=True)
    return f'<svg {head} aria-label="{name}">{paper}{"".join(parts)}</svg>'


def _text(text: str) -> str:
    return escape(text, quote=True)
