"""The page of a comparison of runs: one self-contained HTML file."""

from __future__ import annotations

import math

from flows.compare.tables import (
    Table,
    bins_table,
    configuration_table,
    costs_table,
    differences_table,
    metrics_table,
    tests_table,
)
from flows.report.charts import Labels, Series, line_chart
from flows.report.page import Page, render_page
from flows.report.paired import changed, p_value
from flows.report.part import GREY, Part, charts, tile
from flows.report.values import (
    as_interval,
    between,
    metric,
    name,
    pass_sizes,
    percent,
    point,
    points,
    scrub,
    short,
)
from tasks.rows import Json


def render(found: Json) -> str:
    """The HTML page of a comparison."""
    shown: Json = scrub(found)
    first, others = shown["first"], [one["label"] for one in shown["comparisons"]]
    title = f"{' and '.join(others) if len(others) < 3 else f'{len(others)} policies'}"
    level = f"{100 * shown['confidence']:g}%"
    return render_page(
        Page(
            title=f"{title} against {first}",
            facts=["comparison", *(one["run"] for one in shown["runs"])],
            headline=f"{title} against {first}",
            lead=[_said(one) for one in shown["comparisons"]],
            tiles=_tiles(shown),
            warnings=shown["warnings"],
            rows=_rows(shown),
            footer=f"Intervals are {level} bootstrap intervals over problems: they say how far the "
            "numbers would move with other problems of the same kind, not with another seed of "
            "sampling or training.",
        )
    )


def _rows(found: Json) -> list[list[Part]]:
    test = "The same test problems, greedy"
    return [
        [_by_iteration(found), _pass_at_k(found)],
        [_table("Measured", "Each policy on all problems of its own run.", metrics_table(found))],
        [
            _table(
                f"Difference to {found['first']}",
                "In percentage points, on the problems that both tried, resampled in pairs.",
                differences_table(found),
            )
        ],
        [
            _table(
                "Newly solved against newly lost",
                f"{test}; p of McNemar's exact test, and with Holm's correction for the number of "
                "comparisons. A regression is a difference whose whole interval lies below zero.",
                tests_table(found),
            )
        ],
        [
            _table(
                "By difficulty for the first run's base",
                "Problems by how many of the samples of the first run's base policy are right; "
                "before and after are greedy, which the bins were not made from.",
                bins_table(found),
            )
        ],
        [
            _table(
                "Configurations",
                "Fields in which the runs differ; those of resources change no result.",
                configuration_table(found),
                "The configurations are the same.",
            )
        ],
        [
            _table(
                "Cost",
                "What it took to make each policy and to measure it, by the manifests of the "
                "artifacts, whichever run made them. A shared artifact was paid for once.",
                costs_table(found),
            )
        ],
        *([_flips(found["first"], one)] for one in found["comparisons"]),
    ]


def _said(one: Json) -> str:
    """A sentence on one comparison."""
    m = as_interval(one["metrics"]["greedy"])
    if m is None:
        return ""
    word = "better" if m.low > 0 else "worse" if m.high < 0 else "not told apart"
    test = one["mcnemar"]
    p = p_value(test["p_holm"])
    return (
        f"{one['label']} is {word}: greedy {points(m.value)} {between(m, False)} on {m.problems} "
        f"shared problems, {test['solved']} newly solved and {test['lost']} newly lost (McNemar, "
        f"Holm: p {p if p[0] == '<' else f'= {p}'})."
    )


def _tiles(found: Json) -> list[Json]:
    first = found["policies"][0]
    tiles = []
    if m := metric(first, "greedy"):
        tiles.append(tile(percent(m.value), f"{first['label']}, greedy {between(m)}"))
    for one in found["comparisons"]:
        if m := as_interval(one["metrics"]["greedy"]):
            tone = "up" if m.low > 0 else "down" if m.high < 0 else ""
            text = f"points, {one['label']} {between(m, False)}"
            tiles.append(tile(points(m.value, ""), text, tone))
    return tiles


def _table(title: str, note: str, table: Table, without: str = "") -> Part:
    head, rows = table
    if not rows:
        return Part(title, without or "Nothing of this is there to compare.")
    return Part(title, note, table={"head": ["", *head[1:]], "rows": rows}, kind="long")


def _colour(place: int) -> int:
    """Grey is what the others are compared with; they take the other colours in turn."""
    return (place - 1) % GREY if place else GREY


def _by_iteration(found: Json) -> Part:
    runs = [one["run"] for one in found["policies"]]  # a run has the colour of its first policy
    series = [
        Series(
            one["run"],
            _colour(runs.index(one["run"])),
            [
                point(now["iteration"], m, f"{one['run']}, {name(now)}")
                for now in one["greedy"]
                if (m := as_interval(now))
            ],
            dashed=one["run"] == runs[0],
        )
        for one in found["runs"]
    ]
    policies = {now["iteration"]: now for one in found["runs"] for now in one["greedy"]}
    labels = Labels(
        "Accuracy by iteration",
        "Share of the run's test problems solved by greedy decoding, by run and iteration.",
        "iteration",
        "problems solved",
        [(float(number), short(policies[number])) for number in sorted(policies)],
    )
    note = "Greedy, each run on all of its own test problems."
    return Part("Accuracy by iteration", note, charts(line_chart(series, labels))).or_nothing()


def _pass_at_k(found: Json) -> Part:
    sizes = sorted({k for one in found["policies"] for k in pass_sizes(one)})
    series = [
        Series(
            one["label"],
            _colour(place),
            [
                point(math.log2(k), m, f"{one['label']}, pass@{k}")
                for k in pass_sizes(one)
                if (m := metric(one, f"pass@{k}"))
            ],
            dashed=not place,
        )
        for place, one in enumerate(found["policies"])
    ]
    labels = Labels(
        "pass at k",
        "Chance that at least one of k samples is right, by policy.",
        "k, samples a problem (log scale)",
        "pass@k",
        [(math.log2(k), str(k)) for k in sizes],
    )
    note = "Chance that one of k samples is right (unbiased estimate)."
    return Part("pass@k", note, charts(line_chart(series, labels))).or_nothing()


def _flips(first: str, one: Json) -> Part:
    note = f"Against {first}, greedy, on the same test problems. Open one to read both solutions."
    title = f"Newly solved and newly lost by {one['label']}"
    return Part(title, note, groups=changed(one, first, one["label"]), kind="long")
