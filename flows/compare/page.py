"""The page of a comparison of runs: one self-contained HTML file."""

from __future__ import annotations

from flows.compare import tables
from flows.compare.results import ComparisonReport, RunComparison
from flows.report.charts import Axes, Series, line_chart
from flows.report.curves import PolicyCurve, pass_at_k_panel, turn_colour
from flows.report.page import Page, bootstrap_footer, render_page
from flows.report.paired import p_value
from flows.report.panel import Panel, Table, Tile, charts, tone_of
from flows.report.values import (
    between,
    percent,
    point,
    points,
    policy_tick,
    policy_title,
    scrub,
)


def render(found: ComparisonReport) -> str:
    """The HTML page of a comparison."""
    shown = scrub(found)
    others = [one.label for one in shown.comparisons]
    title = f"{' and '.join(others) if len(others) < 3 else f'{len(others)} policies'}"
    return render_page(
        Page(
            title=f"{title} against {shown.first}",
            facts=["comparison", *(one.run for one in shown.runs)],
            headline=f"{title} against {shown.first}",
            lead=[_said(one) for one in shown.comparisons],
            tiles=_tiles(shown),
            warnings=shown.warnings,
            panels=_panels(shown),
            footer=bootstrap_footer(shown.confidence, " of sampling or training"),
        )
    )


def _panels(found: ComparisonReport) -> list[Panel]:
    test = "The same test problems, greedy"
    return [
        _by_iteration(found),
        _pass_at_k(found),
        _table(
            "Measured", "Each policy on all problems of its own run.", tables.metrics_table(found)
        ),
        _table(
            f"Difference to {found.first}",
            "In percentage points, on the problems that both tried, resampled in pairs.",
            tables.differences_table(found),
        ),
        _table(
            "Newly solved against newly lost",
            f"{test}; p of McNemar's exact test, and with Holm's correction for the number of "
            "comparisons. A regression is a difference whose whole interval lies below zero.",
            tables.tests_table(found),
        ),
        _table(
            "By difficulty for the first run's base",
            "Problems by how many of the samples of the first run's base policy are right; "
            "before and after are greedy, which the bins were not made from.",
            tables.bins_table(found),
        ),
        _table(
            "Configurations",
            "Fields in which the runs differ; those of resources change no result.",
            tables.configuration_table(found),
            "The configurations are the same.",
        ),
        _table(
            "Cost",
            "What it took to make each policy and to measure it, by the manifests of the "
            "artifacts, whichever run made them. A shared artifact was paid for once.",
            tables.costs_table(found),
        ),
        *(_flips(found.first, one) for one in found.comparisons),
    ]


def _said(one: RunComparison) -> str:
    """A sentence on one comparison."""
    m, test = one.greedy, one.mcnemar
    if m is None:
        return ""
    word = {"up": "is better", "down": "is worse", "": "shows no clear difference"}[tone_of(m)]
    p = p_value(test.p_holm)
    return (
        f"{one.label} {word}: greedy {points(m.value)} {between(m, False)} on {m.problems} "
        f"shared problems, {test.solved} newly solved and {test.lost} newly lost (McNemar, "
        f"Holm: p {p if p[0] == '<' else f'= {p}'})."
    )


def _tiles(found: ComparisonReport) -> list[Tile]:
    first = found.policies[0]
    tiles = []
    if m := first.metrics.get("greedy"):
        tiles.append(Tile(percent(m.value), f"{first.label}, greedy {between(m)}"))
    for one in found.comparisons:
        if m := one.greedy:
            text = f"points, {one.label} {between(m, False)}"
            tiles.append(Tile(points(m.value, ""), text, tone_of(m)))
    return tiles


def _table(title: str, note: str, table: Table, without: str = "") -> Panel:
    if not table.rows:
        return Panel(title, without or "Nothing of this is there to compare.")
    return Panel(title, note, table=Table(["", *table.head[1:]], table.rows), kind="long")


def _by_iteration(found: ComparisonReport) -> Panel:
    runs = [one.run for one in found.policies]  # a run has the colour of its first policy
    series = []
    for one in found.runs:
        drawn = [
            point(now.iteration, now, f"{one.run}, {policy_title(now.iteration)}")
            for now in one.greedy
        ]
        colour = turn_colour(runs.index(one.run))
        series.append(Series(one.run, colour, drawn, dashed=one.run == runs[0]))
    numbers = sorted({now.iteration for one in found.runs for now in one.greedy})
    axes = Axes(
        "Accuracy by iteration",
        "Share of the run's test problems solved by greedy decoding, by run and iteration.",
        "iteration",
        "problems solved",
        [(float(number), policy_tick(number)) for number in numbers],
    )
    note = "Greedy, each run on all of its own test problems."
    return Panel("Accuracy by iteration", note, charts(line_chart(series, axes))).or_nothing()


def _pass_at_k(found: ComparisonReport) -> Panel:
    curves = [
        PolicyCurve(one.label, turn_colour(place), one.metrics, dashed=not place)
        for place, one in enumerate(found.policies)
    ]
    return pass_at_k_panel("pass@k", curves)


def _flips(first: str, one: RunComparison) -> Panel:
    note = f"Against {first}, greedy, on the same test problems. Open one to read both solutions."
    title = f"Newly solved and newly lost by {one.label}"
    return Panel(title, note, groups=one.groups(first, one.label), kind="long")
