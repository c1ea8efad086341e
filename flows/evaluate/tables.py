"""The results of an evaluation as a table of a few metrics, and for the console."""

from __future__ import annotations

from flows.evaluate.results import EvaluationResults
from flows.report.panel import Table
from flows.report.tables import metric_order, plain_table
from flows.report.values import change_cell, share_cell
from flows.report.win_rates import win_rates_text


def shown_metrics(results: EvaluationResults) -> list[str]:
    """The metrics of a short table: greedy, pass@1, the largest k, the largest vote."""
    found = {key for one in results.benchmarks for policy in one.policies for key in policy.metrics}
    keys = metric_order({"greedy", *(key for key in found if "@" in key)})
    short = ["greedy", *sorted(key for key in found if key.startswith("mean"))]
    for kind in ("pass@", "maj@"):
        sizes = [key for key in keys if key.startswith(kind)]
        short += list(dict.fromkeys(sizes[:1] + sizes[-1:] if kind == "pass@" else sizes[-1:]))
    return short


def results_table(results: EvaluationResults) -> Table:
    """The short table: benchmarks, in each its policies and the difference."""
    keys = shown_metrics(results)
    rows: list[list[str]] = []
    for one in results.benchmarks:
        start = [one.name, str(one.problems)]
        for policy in one.policies:
            cells = (share_cell(policy.metrics.get(key)) for key in keys)
            rows.append([*start, results.label(policy.number), *cells])
        for number, points in one.hand.points.items() if one.hand else ():
            label = f"{results.label(int(number))}, by hand"
            rows.append([*start, label, share_cell(points), *["–"] * (len(keys) - 1)])
        if one.comparison:
            changed = (change_cell(one.comparison.metrics.get(key)) for key in keys)
            rows.append([*start, "difference", *changed])
    return Table(["benchmark", "problems", "policy", *keys], rows)


def results_text(results: EvaluationResults) -> str:
    """The same for the console, with the warnings under it."""
    table = results_table(results)
    won = win_rates_text(results.win_rates, results.against)
    warnings = [f"warning: {text}" for text in results.warnings]
    told = [f"\n{won}"] if won else []
    return "\n".join([plain_table(table.head, table.rows), *told, *warnings])
