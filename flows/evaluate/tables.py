"""The results of an evaluation in words: names of columns, cells, and the console's table.

The results (results.json):
    run, name, model, against: texts; policies: [{number, label, digest}];
    benchmarks: [{name, problems,
        policies: [{number, metrics: {name: interval}, levels, subjects: {subject: interval},
            statuses, mean_tokens, truncated}],
        hand: {file, graded, problems, points: interval or None} where a person grades,
        comparison: {metrics: {name: interval of the difference}, mcnemar: {solved, lost, p,
            p_holm}, bins: [...], regression, crossing: [k], solved, lost: [texts]} or None}];
    config; warnings: [text].
"""

from __future__ import annotations

from typing import Any

from flows.report.tables import metric_order, plain_table
from flows.report.values import as_interval, between, percent, points
from tasks.rows import Json


def policy_name(results: Json, number: int) -> str:
    """How a policy is called in tables: its name in the configuration."""
    for policy in results["policies"]:
        if policy["number"] == number:
            return policy["label"]
    return str(number)


def shown_metrics(results: Json) -> list[str]:
    """The metrics of a short table: greedy, pass@1, the largest k, the largest vote."""
    found = {
        key
        for benchmark in results["benchmarks"]
        for policy in benchmark["policies"]
        for key in policy["metrics"]
    }
    keys = metric_order({"greedy", *(key for key in found if "@" in key)})
    short = ["greedy", *sorted(key for key in found if key.startswith("mean"))]
    for kind in ("pass@", "maj@"):
        sizes = [key for key in keys if key.startswith(kind)]
        short += list(dict.fromkeys(sizes[:1] + sizes[-1:] if kind == "pass@" else sizes[-1:]))
    return short


def cell(raw: Any) -> str:
    """A metric in percent with its interval."""
    m = as_interval(raw)
    return f"{percent(m.value)} {between(m)}" if m else "–"


def difference(raw: Any) -> str:
    """A difference in points with its interval."""
    m = as_interval(raw)
    return f"{points(m.value, '')} {between(m, False)}" if m else "–"


def results_rows(results: Json) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the short table: benchmarks, in each its policies and the difference."""
    keys = shown_metrics(results)
    rows = []
    for benchmark in results["benchmarks"]:
        name, count = benchmark["name"], str(benchmark["problems"])
        for policy in benchmark["policies"]:
            label = policy_name(results, policy["number"])
            metrics = policy["metrics"]
            rows.append([name, count, label, *(cell(metrics.get(key)) for key in keys)])
        if hand := benchmark.get("hand"):
            for number, points_of in hand["points"].items():
                label = f"{policy_name(results, int(number))}, by hand"
                rows.append([name, count, label, cell(points_of), *["–"] * (len(keys) - 1)])
        if compared := benchmark.get("comparison"):
            changed = [difference(compared["metrics"].get(key)) for key in keys]
            rows.append([name, count, "difference", *changed])
    return ["benchmark", "problems", "policy", *keys], rows


def results_table(results: Json) -> str:
    """The same as a plain table, with the warnings under it."""
    titles, rows = results_rows(results)
    lines = [plain_table(titles, rows)]
    lines += [f"warning: {text}" for text in results["warnings"]]
    return "\n".join(lines)
