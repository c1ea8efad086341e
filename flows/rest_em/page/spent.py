"""The report's sections on what a run took, and on how it was set."""

from __future__ import annotations

from collections import Counter

from flows.report.charts import Axes, Part, stacked_bars
from flows.report.cost import each_table
from flows.report.palette import GREY, PARTS
from flows.report.panel import Panel, Table, charts
from flows.report.values import duration, flat
from flows.rest_em.results import RunReport
from tasks.dag.step_names import BASE_MODEL
from tasks.metering import COST_NAMES

_REST = "other steps"


def time(report: RunReport) -> Panel:
    """Seconds and tokens by step, as measured when the work was first done."""
    steps = report.cost.steps if report.cost else []
    seconds: dict[int, dict[str, float]] = {}
    totals: dict[str, list[float]] = {}
    for row in steps:
        kind, spent = _kind(row.step), [row.tasks, *(row.made[name] for name in COST_NAMES)]
        of_iteration = seconds.setdefault(row.iteration, {})
        of_iteration[kind] = of_iteration.get(kind, 0.0) + row.made["seconds"]
        before = totals.setdefault(row.step, [0.0] * len(spent))
        totals[row.step] = [a + b for a, b in zip(before, spent, strict=True)]
    chart = _time_chart(seconds)
    rows = [
        [
            step,
            f"{shards:,.0f}",
            *[duration(value) if value else "–" for value in (took, *parts)],
            f"{tokens:,.0f}" if tokens else "–",
            f"{tokens / took:,.0f}" if tokens and took else "–",
        ]
        for step, (shards, took, *parts, tokens) in sorted(
            totals.items(), key=lambda item: -item[1][1]
        )
    ]
    head = ["step, all iterations", "shards", "time", "processor", "engine", "sandbox"]
    head += ["tokens", "tokens a second"]
    note = (
        "Times are those of the work when it was first done; what the cache gave cost nothing. "
        "Processor: of the steps and of the processes that work for them, all cores together. "
        "Engine: in which it sampled. Sandbox: in which containers ran programs, together."
    )
    table = Table(head, rows)
    return Panel("Time and tokens by step", note, charts(chart), table).or_nothing()


def cost(report: RunReport) -> Panel:
    """What each accepted sample and each point of accuracy cost."""
    rewarded = any(now.proxy for now in report.iterations)
    parts = "drawing, scoring, rewarding" if rewarded else "drawing, scoring"
    return Panel(
        "Cost of a sample and of a point",
        f"Of samples: {parts} and selecting them. Of a point: the whole run, its measuring "
        "included. A dash: nothing of it was used, or nothing gained.",
        table=each_table(report.cost) if report.cost else None,
    ).or_nothing()


def configuration(report: RunReport) -> Panel:
    """The whole recipe."""
    rows = list(flat(report.config))
    table = Table(["setting", "value"], rows)
    return Panel("Configuration", table=table, folded=f"Show {len(rows)} settings").or_nothing()


def _kind(step: str) -> str:
    """The kind of a step, whatever it was for: its first word."""
    return step if step == BASE_MODEL else step.split()[0]


def _time_chart(seconds: dict[int, dict[str, float]]) -> str:
    """Seconds by iteration and kind of step; what took least together."""
    total = Counter[str]()
    for of in seconds.values():
        total.update(of)
    shown = dict(zip((kind for kind, _ in total.most_common(len(PARTS))), PARTS, strict=False))
    rest = {_REST: GREY} if len(total) > len(shown) else {}
    bars = []
    for number, of in seconds.items():
        text = f"iteration {number}" if number else "base"
        parts = {kind: of[kind] for kind in shown if kind in of}
        if left := sum(spent for kind, spent in of.items() if kind not in shown):
            parts[_REST] = left
        marks = [
            Part((shown | rest)[kind], spent, f"{text}, {kind}: {duration(spent)}")
            for kind, spent in parts.items()
        ]
        bars.append((text, marks))
    axes = Axes("Time by step", "Seconds of each step by iteration.", "seconds", "", [])
    return stacked_bars(bars, axes, [(colour, kind) for kind, colour in (shown | rest).items()])
