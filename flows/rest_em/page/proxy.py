"""The report's section on the reward that policies are trained for, beside the one meant."""

from __future__ import annotations

from flows.report.charts import Axes, Series, line_chart
from flows.report.palette import PARTS, RIGHT
from flows.report.panel import Panel, Table, charts
from flows.report.values import change_cell, point, policy_title
from flows.rest_em.page.policies import iteration_ticks, shown_policies
from flows.rest_em.results import RunReport
from tasks.evaluate.intervals import Interval
from tasks.evaluate.proxy import ProxyChange, ProxyMetrics


def proxy(report: RunReport) -> Panel:
    """The reward that policies are trained for, beside the checker's."""
    of = _proxies(report)
    oracle = {
        level.policy: level.oracle
        for found in of.values()
        for level in found.levels
        if level.oracle
    }
    series = [
        Series(
            "checker",
            RIGHT,
            [point(n, m, f"{policy_title(n)}, checker") for n, m in sorted(oracle.items())],
        ),
        *_proxy_series(of),
    ]
    rows = [_change_row(number, one) for number, found in of.items() for one in found.changes]
    axes = Axes(
        "Proxy reward against the checker's",
        "Mean rewards of greedy answers to test problems, by policy.",
        "iteration",
        "mean reward",
        iteration_ticks(report.iterations),
        percent=False,
    )
    head = ["since", "reward trained for", "checker's reward", ""]
    note = (
        "Each policy is rated by what rated the samples that it was trained on, and so are the "
        "policy before it and the base; a line joins what one model rated. Differences are in "
        "points, paired over test problems. Over-optimised: the first rises while the whole "
        "interval of the second lies below zero."
    )
    drawn = charts(line_chart(series, axes))
    table = Table(head, rows)
    return Panel("Proxy reward against the checker's", note, drawn, table, kind="long").or_nothing()


def _proxies(report: RunReport) -> dict[int, ProxyMetrics]:
    shown = shown_policies(report.iterations)
    return {now.iteration: now.proxy for now in shown if now.proxy}


def _proxy_series(of: dict[int, ProxyMetrics]) -> list[Series]:
    """A line for each rater, over the policies that it rated."""
    levels: dict[str, dict[int, Interval]] = {}
    for found in of.values():
        mine = levels.setdefault(found.rater, {})
        mine |= {level.policy: level.proxy for level in found.levels}
    made = []
    for place, known in enumerate(levels.values()):
        name = "rated" if len(levels) == 1 else f"rated by model {place + 1}"
        points = [point(n, m, f"{policy_title(n)}, {name}") for n, m in sorted(known.items())]
        made.append(Series(name, PARTS[place % len(PARTS)], points, dashed=True))
    return made


def _change_row(number: int, one: ProxyChange) -> list[str]:
    mark = "over-optimised" if one.parted else ""
    since = f"{policy_title(number)} since {policy_title(one.since)}"
    return [since, change_cell(one.proxy), change_cell(one.oracle), mark]
