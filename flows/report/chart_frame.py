"""The frame of a chart: its canvas, the ticks and titles of its axes, its legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.report.chart_parts import Axes, Key, clear, cut, legend, svg, text_width

PLOT = 168
_RIGHT, _GAP = 12, 7
# Between lines of text, and what the title of the y axis takes; in units.
_LINE, _TITLE = 13, 18
# Labels that do not fit beside each other go up from left to right, at this angle.
_TILT = 35


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
    widest = max(map(text_width, texts))
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


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that enclose [low, high], about `wanted` of them."""
    span = high - low or abs(high) or 1.0
    raw = span / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _room(canvas: Canvas) -> float:
    """Units between two ticks."""
    return (canvas.right - canvas.left) / max(len(canvas.axes.ticks), 1)


def _longest(canvas: Canvas) -> float:
    return max(text_width(line) for lines in canvas.labels.values() for line in lines)


def _all_labels(canvas: Canvas) -> None:
    """Every label, in two lines or else tilted, for which the first needs room at the left."""
    texts = {place: cut(text) for place, text in canvas.axes.ticks}
    room = _room(canvas)
    canvas.labels = {place: _lines(text, room) for place, text in texts.items()}
    if any(len(lines) > 2 for lines in canvas.labels.values()) or _longest(canvas) > room:
        canvas.labels, canvas.tilted = {place: [text] for place, text in texts.items()}, True
        reach = _longest(canvas) * math.cos(math.radians(_TILT))
        canvas.left = max(canvas.left, reach - room / 2)


def _some_labels(canvas: Canvas) -> None:
    """As many labels as there is room for, at equal distances."""
    widest = max((text_width(text) + 6 for _, text in canvas.axes.ticks), default=1.0)
    shown = canvas.axes.ticks[:: math.ceil(widest / _room(canvas))]
    canvas.labels = {place: [text] for place, text in shown}


def _lines(text: str, room: float) -> list[str]:
    """A tick's text, in as many lines as its words need."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _tick_text(value: float, percent: bool) -> str:
    return (f"{100 * value:.4g}%" if percent else f"{value:g}").replace("-", "−")
