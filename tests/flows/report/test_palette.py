"""Colours of charts: seen on both grounds, and with one meaning on a page."""

from __future__ import annotations

import re

import pytest

from flows.report import palette
from flows.report.charts import Axes, Point, Series, line_chart
from flows.report.curves import turn_colour
from flows.report.page import ASSETS

STYLE = (ASSETS / "style.css").read_text(encoding="utf-8")
GROUNDS = re.findall(r"--card:(#[0-9a-f]{3,6})", STYLE)[:2]
LIGHT, DARK = re.findall(r"(?:--o\d+:#[0-9a-f]{6};?\s*){9,}", STYLE)[:2]


def luminance(colour: str) -> float:
    """As WCAG 2 has it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("variables", "ground"), zip((LIGHT, DARK), GROUNDS, strict=True))
def test_every_colour_is_seen_on_its_ground(variables: str, ground: str) -> None:
    colours = re.findall(r"#[0-9a-f]{6}", variables)
    assert len(set(colours)) == len(colours) == palette.OLIVE + 1
    for colour in colours:
        assert contrast(colour, ground) >= 3, f"{colour} on {ground}"


def test_policies_have_colours_of_their_own() -> None:
    of_policies = {palette.policy_colour(number) for number in range(6)}
    assert len(of_policies) == 6
    assert not of_policies & {palette.RIGHT, palette.WRONG, *palette.PARTS}


def test_the_first_of_several_is_grey() -> None:
    colours = [turn_colour(place) for place in range(11)]
    assert colours[0] == palette.GREY and len(set(colours)) == 11


def test_a_picture_that_stands_alone_has_them_and_no_rule_of_a_page() -> None:
    points = [Point(0, 1, "")]
    axes = Axes("title", "", "", "", [(0, "0")])
    drawn = line_chart([Series("a", palette.OLIVE, points)], axes, standalone=True)
    style = drawn.partition("<style>")[2].partition("</style>")[0]
    assert all(f"--o{n}:" in style and f".s{n}{{" in style for n in range(palette.OLIVE + 1))
    assert "prefers-color-scheme:dark" in style and "main{" not in style
