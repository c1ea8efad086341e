"""The frame of a chart: canvas, axes with ticks and titles, legend, the SVG around.

A chart is drawn for a phone, 420 units wide, or 860 where it has much to show, with letters of 12
units. The page's style makes the letters smaller where the chart is shown larger. Widths of texts
are estimates that are rather too large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path

from flows.report.palette import GREY

WIDTH, WIDE = 420, 860
PLOT = 168
_RIGHT, _GAP = 12, 7
# Where letters and lines of text stand, in units.
_LETTER, _LINE = 7.2, 13
_TITLE = 18
# Labels that do not fit beside each other go up from left to right, at this angle.
_TILT = 35
_LONGEST_LABEL = 26
# The part of the page's style that a picture takes along when it stands alone ends so.
_END = "/*Up to here"


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
        wide: Whether it takes the whole width of a page.
    """

    title: str
    description: str
    x: str
    y: str
    ticks: Sequence[tuple[float, str]]
    percent: bool = True
    signed: bool = False
    wide: bool = False

    @property
    def width(self) -> int:
        """In units."""
        return WIDE if self.wide else WIDTH


@dataclass(frozen=True)
class Key:
    """An entry of a legend: what a series looks like there, and its name."""

    name: str
    colour: int
    dashed: bool = False
    markers: bool = True
    square: bool = False


@dataclass
class Canvas:
    """Maps data to units and collects the pieces of a chart."""

    axes: Axes
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    top: float
    left: float
    labels: dict[float, list[str]] = field(default_factory=dict)
    tilted: bool = False
    parts: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Units from the left."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Units from the top."""
        low, high = self.y_range
        return self.top + (high - value) / (high - low) * PLOT

    @property
    def right(self) -> float:
        """End of the plot."""
        return self.axes.width - _RIGHT

    @property
    def bottom(self) -> float:
        """The same, downwards."""
        return self.top + PLOT


def frame(
    axes: Axes,
    keys: Sequence[Key],
    x_range: tuple[float, float],
    ys: Sequence[float],
    *,
    all_labels: bool,
) -> Canvas:
    """A canvas with a legend and the y axis, whose ticks enclose `ys`.

    Args:
        all_labels: Whether every tick of the x axis has its text, tilted if there is no room; else
            some are left out.
    """
    ticks = nice_ticks(min(ys), max(ys))
    texts = [_tick_text(tick, axes.percent) for tick in ticks]
    widest = max(map(_width, texts))
    left = _TITLE + _GAP + widest
    drawn, top = legend(keys, axes.width)
    canvas = Canvas(axes, x_range, (ticks[0], ticks[-1]), top, left)
    (_all_labels if all_labels else _some_labels)(canvas)
    left = canvas.left
    canvas.parts.append(drawn)
    for tick, text in zip(ticks, texts, strict=True):
        y = canvas.y(tick)
        kind = "axis" if tick == 0 else "grid"
        canvas.parts.append(
            f'<line class="{kind}" x1="{left:.1f}" x2="{canvas.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{left - _GAP:.1f}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    title = left - _GAP - widest - 6
    side = (canvas.top + canvas.bottom) / 2
    canvas.parts.append(
        f'<text class="title" transform="translate({title:.1f} {side:.0f}) rotate(-90)" '
        f'text-anchor="middle">{clear(axes.y)}</text>'
    )
    return canvas


def finished(canvas: Canvas, standalone: bool) -> str:
    """The SVG of a canvas, with its x axis."""
    axes = canvas.axes
    for place, lines in canvas.labels.items():
        x, y = canvas.x(place), canvas.bottom + 17
        if canvas.tilted:
            at = f'transform="translate({x + 4:.1f} {y - 4:.1f}) rotate(-{_TILT})"'
            canvas.parts.append(f'<text {at} text-anchor="end">{clear(lines[0])}</text>')
            continue
        for number, line in enumerate(lines):
            at = f'x="{x:.1f}" y="{y + _LINE * number:.1f}"'
            canvas.parts.append(f'<text {at} text-anchor="middle">{clear(line)}</text>')
    below = 17 + _LINE * (max(map(len, canvas.labels.values()), default=1) - 1)
    if canvas.tilted:
        below = 13 + _longest(canvas) * math.sin(math.radians(_TILT))
    height = canvas.bottom + below + (20 if axes.x else 2) + 6
    middle = (canvas.left + canvas.right) / 2
    canvas.parts.append(
        f'<text class="title" x="{middle:.1f}" y="{height - 7:.1f}" text-anchor="middle">'
        f"{clear(axes.x)}</text>"
    )
    return svg(axes, canvas.parts, round(height, 1), standalone=standalone)


def svg(axes: Axes, parts: Sequence[str], height: float, *, standalone: bool = False) -> str:
    """Pieces as a picture with a name; standalone, with its own style and ground."""
    kind = "chart wide" if axes.wide else "chart"
    head = f'class="{kind}" viewBox="0 0 {axes.width} {height:g}" role="img"'
    paper = ""
    if standalone:
        size = f'width="{1.3 * axes.width:g}" height="{1.3 * height:g}"'
        head += f' xmlns="http://www.w3.org/2000/svg" {size}'
        ground = '<rect class="paper" width="100%" height="100%" rx="8"/>'
        paper = f"<style>{_style()}</style>{ground}"
    name = clear(f"{axes.title}. {axes.description}")
    return f'<svg {head} aria-label="{name}">{paper}{"".join(parts)}</svg>'


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that enclose [low, high], about `wanted` of them."""
    span = high - low or abs(high) or 1.0
    raw = span / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def legend(keys: Sequence[Key], width: float) -> tuple[str, float]:
    """Names in rows above the plot, and where the plot begins."""
    if not keys:
        return "", 14.0
    x, y, out = 4.0, 14.0, []
    for key in keys:
        name = _cut(key.name, int((width - 40) / _LETTER))
        taken = 26 + _width(name)
        if x + taken > width and x > 4:
            x, y = 4.0, y + 18
        text = f'<text x="{x + 21:.1f}" y="{y}">{clear(name)}</text>'
        out.append(f'<g class="s{key.colour}">{_picture(key, x, y - 4)}{text}</g>')
        x += taken + 8
    return "".join(out), y + 16


def marker(colour: int, x: float, y: float) -> str:
    """A shape for each colour: circle, square, triangle, diamond; grey has one of its own."""
    if colour == GREY:
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


def clear(text: str) -> str:
    """Text that neither ends an element nor an attribute."""
    return escape(text, quote=True)


@cache
def _style() -> str:
    style = (Path(__file__).resolve().parent / "assets" / "style.css").read_text(encoding="utf-8")
    return f"{style.partition(_END)[0]}.chart{{font:10px system-ui,sans-serif}}"


def _picture(key: Key, x: float, y: float) -> str:
    """What a series looks like, 16 units wide."""
    if key.square:
        return f'<rect class="bar" x="{x + 3:.1f}" y="{y - 5:.1f}" width="11" height="11"/>'
    dashed = " dashed" if key.dashed else ""
    mark = marker(key.colour, x + 8, y) if key.markers else ""
    return f'<line class="line{dashed}" x1="{x:.1f}" x2="{x + 16:.1f}" y1="{y}" y2="{y}"/>{mark}'


def _room(canvas: Canvas) -> float:
    """Units between two ticks."""
    return (canvas.right - canvas.left) / max(len(canvas.axes.ticks), 1)


def _longest(canvas: Canvas) -> float:
    return max(_width(line) for lines in canvas.labels.values() for line in lines)


def _all_labels(canvas: Canvas) -> None:
    """Every label, in two lines or else tilted, for which the first needs room at the left."""
    texts = {place: _cut(text) for place, text in canvas.axes.ticks}
    room = _room(canvas)
    canvas.labels = {place: _lines(text, room) for place, text in texts.items()}
    if any(len(lines) > 2 for lines in canvas.labels.values()) or _longest(canvas) > room:
        canvas.labels, canvas.tilted = {place: [text] for place, text in texts.items()}, True
        reach = _longest(canvas) * math.cos(math.radians(_TILT))
        canvas.left = max(canvas.left, reach - room / 2)


def _some_labels(canvas: Canvas) -> None:
    """As many labels as there is room for, at equal distances."""
    widest = max((_width(text) + 6 for _, text in canvas.axes.ticks), default=1.0)
    shown = canvas.axes.ticks[:: math.ceil(widest / _room(canvas))]
    canvas.labels = {place: [text] for place, text in shown}


def _lines(text: str, room: float) -> list[str]:
    """A tick's text, in as many lines as its words need."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _tick_text(value: float, percent: bool) -> str:
    return (f"{100 * value:.4g}%" if percent else f"{value:g}").replace("-", "−")


def _cut(text: str, longest: int = _LONGEST_LABEL) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _width(text: str) -> float:
    """About how many units a text of 12 units takes."""
    return _LETTER * len(text) + 4 * text.count("%")
