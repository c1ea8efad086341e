"""What charts are drawn of: axes in words, legend, markers, and the SVG around.

A chart is drawn for a phone, 420 units wide, or 860 where it has much to show, with letters of 12
units. The page's style makes the letters smaller where the chart is shown larger. Widths of texts
are estimates that are rather too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from flows.report.palette import AMBER, BROWN, GREY, NAVY, PINK, RIGHT, TEAL, VIOLET, WRONG

WIDTH, WIDE = 420, 860
_LETTER = 7.2
_LONGEST_LABEL = 26
# Of colours that come together in a chart; the others have circles.
_SHAPES = {
    **dict.fromkeys((VIOLET, PINK), "diamond"),
    **dict.fromkeys((TEAL, RIGHT, BROWN), "triangle"),
    **dict.fromkeys((NAVY, WRONG, AMBER), "square"),
}
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


def svg(axes: Axes, parts: Sequence[str], height: float, *, standalone: bool = False) -> str:
    """Pieces as a picture with a name; standalone, with its own style and ground."""
    kind = "chart wide" if axes.wide else "chart"
    # Nothing within a picture can be reached by keys, and links have to be.
    role = "group" if any(part.startswith("<a ") for part in parts) else "img"
    head = f'class="{kind}" viewBox="0 0 {axes.width} {height:g}" role="{role}"'
    paper = ""
    if standalone:
        size = f'width="{1.3 * axes.width:g}" height="{1.3 * height:g}"'
        head += f' xmlns="http://www.w3.org/2000/svg" {size}'
        ground = '<rect class="paper" width="100%" height="100%" rx="8"/>'
        paper = f"<style>{_style()}</style>{ground}"
    name = clear(f"{axes.title}. {axes.description}")
    return f'<svg {head} aria-label="{name}">{paper}{"".join(parts)}</svg>'


def legend(keys: Sequence[Key], width: float) -> tuple[str, float]:
    """Names in rows above the plot, and where the plot begins."""
    if not keys:
        return "", 14.0
    x, y, out = 4.0, 14.0, []
    for key in keys:
        name = cut(key.name, int((width - 40) / _LETTER))
        taken = 26 + text_width(name)
        if x + taken > width and x > 4:
            x, y = 4.0, y + 18
        text = f'<text x="{x + 21:.1f}" y="{y}">{clear(name)}</text>'
        out.append(f'<g class="s{key.colour}">{_picture(key, x, y - 4)}{text}</g>')
        x += taken + 8
    return "".join(out), y + 16


def marker(colour: int, x: float, y: float) -> str:
    """A circle, square, triangle or diamond, by colour; grey has a shape of its own."""
    shape = _SHAPES.get(colour, "circle")
    if colour == GREY:
        place = f'x="{x - 5:.1f}" y="{y - 1.6:.1f}"'
        return f'<rect class="dot" {place} width="10" height="3.2" rx="1.6"/>'
    if shape == "circle":
        return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if shape == "square":
        return f'<rect class="dot" x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"/>'
    corners = (
        [(0, -5), (4.6, 3.6), (-4.6, 3.6)]
        if shape == "triangle"
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


def cut(text: str, longest: int = _LONGEST_LABEL) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def text_width(text: str) -> float:
    """About how many units a text of 12 units takes."""
    return _LETTER * len(text) + 4 * (text.count("%") + text.count("−"))
