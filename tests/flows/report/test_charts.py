"""The frame of charts: room for what stands at the axes, names of series, and pages' rows."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import pairwise

import pytest
from markupsafe import Markup

from flows.report.chart_parts import WIDE, WIDTH
from flows.report.charts import Axes, Part, Point, Series, bar_chart, line_chart, stacked_bars
from flows.report.panel import Panel, Table, layout

# Of a letter of 12 units, no less than a browser takes.
LETTER = 6.5


def line(values: Sequence[float], name: str = "a", colour: int = 0) -> Series:
    return Series(name, colour, [Point(x, y, f"{x}: {y}") for x, y in enumerate(values)])


def axes(names: Sequence[str], **more: bool) -> Axes:
    ticks = [(float(place), name) for place, name in enumerate(names)]
    return Axes("title", "description", "at the bottom", "at the side", ticks, **more)


def texts(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter("text"))


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1e-8, 1e-8), (12_345.0, 67_890.0)])
def test_the_title_of_the_y_axis_is_clear_of_its_ticks(values: tuple[float, float]) -> None:
    drawn = texts(line_chart([line(values)], axes(["0", "1"], percent=False)))
    title = next(one for one in drawn if one.text == "at the side")
    place = re.match(r"translate\(([\d.]+)", title.get("transform", ""))
    assert place is not None
    ends = [one for one in drawn if one.get("text-anchor") == "end"]
    assert len(ends) >= 2
    for tick in ends:
        starts = float(tick.get("x", "")) - LETTER * len(tick.text or "")
        assert starts > float(place[1]) + 3, tick.text
        assert float(place[1]) > 8


@pytest.mark.parametrize("names", [["base", "1"], ["two words here", "and two here"] * 4])
def test_the_title_of_the_x_axis_is_below_its_ticks(names: list[str]) -> None:
    drawn = texts(bar_chart([line([0.5] * len(names))], axes(names)))
    title = next(one for one in drawn if one.text == "at the bottom")
    labels = [one for one in drawn if (one.text or "") and one.text in " ".join(names)]
    assert labels
    assert float(title.get("y", "")) > max(float(one.get("y", "0")) for one in labels) + 12


def test_labels_that_have_no_room_are_tilted_and_stay_in_the_picture() -> None:
    names = [f"a long name of arm {number}" for number in range(9)]
    drawn = [one for one in texts(bar_chart([line([0.5] * 9)], axes(names))) if one.text in names]
    assert len(drawn) == 9
    for one in drawn:
        place = re.match(r"translate\(([\d.]+) .*rotate\(-35\)", one.get("transform", ""))
        assert place is not None
        assert float(place[1]) > 0.8 * LETTER * len(one.text or "")


def test_of_many_numbers_some_are_written() -> None:
    names = [str(1000 * number) for number in range(40)]
    drawn = [one for one in texts(line_chart([line(range(40))], axes(names))) if one.text in names]
    places = [float(one.get("x", "")) for one in drawn]
    assert 3 < len(places) < 20
    assert all(b - a > LETTER * 5 for a, b in pairwise(places))


def test_many_bars_make_a_wide_chart() -> None:
    few, many = (axes([str(n) for n in range(count)]) for count in (5, 20))
    two = [line([0.1] * 20), line([0.2] * 20, "b", 1)]
    assert f'viewBox="0 0 {WIDTH} ' in bar_chart([line([0.1] * 5)], few)
    assert f'class="chart wide" viewBox="0 0 {WIDE} ' in bar_chart(two, many)


def test_what_is_left_of_several_has_its_name() -> None:
    nothing = Series("empty", 1, [])
    both = axes(["0", "1"])
    for draw in (line_chart, bar_chart):
        assert "a name" not in draw([line([1, 2], "a name")], both)
        assert "a name" in draw([line([1, 2], "a name"), nothing], both)


def test_long_lines_say_values_at_some_places() -> None:
    long = Series("a", 0, [Point(x, x, f"at {x}") for x in range(400)], markers=False)
    tips = re.findall('data-tip="at', line_chart([long], axes(["0", "1"])))
    assert 20 < len(tips) <= 40


def test_a_stack_has_the_names_that_it_is_given() -> None:
    drawn = stacked_bars([("base", [Part(2, 5.0, "kept: 5")])], axes([]), [(2, "kept")])
    assert next(one.text for one in texts(drawn)) == "kept"


def test_a_part_of_a_stack_leads_to_what_it_counts() -> None:
    parts = [Part(2, 5.0, 'kept: "5"', "samples?fate=kept&iteration=0"), Part(1, 3.0, "wrong: 3")]
    drawn = ET.fromstring(stacked_bars([("base", parts)], axes([]), []))
    (link,) = drawn.findall("a")
    assert link.attrib["data-samples"] == "samples?fate=kept&iteration=0"
    assert [bar.attrib["data-tip"] for bar in link] == ['kept: "5"']
    assert drawn.attrib["role"] == "group"  # a picture hides the links within


def panel(title: str, *, chart: str = "", columns: int = 0, **more: str) -> Panel:
    table = Table(["column"] * columns, [["cell"] * columns]) if columns else None
    drawn = [Markup(chart)] if chart else []
    return Panel(title, charts=drawn, table=table, **more)  # type: ignore[arg-type]


def test_narrow_panels_stand_beside_each_other() -> None:
    chart, wide = '<svg class="chart">', '<svg class="chart wide">'
    given = [
        *(panel(name, chart=chart) for name in "abc"),
        panel("d", columns=12),
        *(panel(name, columns=2) for name in "efg"),
        panel("h", chart=wide),
        panel("i", columns=2, kind="prose"),
        Panel("nothing").or_nothing(),
    ]
    rows = ["".join(one.title for one in row) for row in layout(given)]
    assert rows == ["abc", "d", "ef", "g", "h", "i"]
