"""A comparison of runs as tables, for the console and for the page."""

from __future__ import annotations

from flows.compare.results import ComparisonReport
from flows.report.paired import BIN_TITLES, TEST_TITLES, bin_rows, mcnemar_cells
from flows.report.panel import Table
from flows.report.tables import metric_order, plain_table
from flows.report.values import change_cell, percent, share_cell

# What a policy took, with the digits after the point of each.
_COSTS = (
    ("drawn", "samples drawn to train on", 0),
    ("samples", "samples in all", 0),
    ("sampled_tokens", "tokens sampled", 0),
    ("trained_tokens", "tokens trained on", 0),
    ("seconds", "seconds of steps", 1),
    ("cpu_seconds", "CPU seconds", 1),
    ("engine_seconds", "engine seconds", 1),
    ("sandbox_seconds", "sandbox seconds", 1),
)


def metrics_table(found: ComparisonReport) -> Table:
    """Every metric of every policy, on all problems of its own run."""
    policies = found.policies
    rows = []
    for name in metric_order({name for one in policies for name in one.metrics}):
        cell = change_cell if name == "gap" else share_cell
        rows.append([name, *(cell(one.metrics.get(name)) for one in policies)])
    for name in sorted({name for one in policies for name in one.transfer}):
        rows.append([f"{name}, greedy", *(share_cell(one.transfer.get(name)) for one in policies)])
    return Table(["metric", *(one.label for one in policies)], rows)


def differences_table(found: ComparisonReport) -> Table:
    """What each is better by than the first, in points, on the problems that both tried."""
    others = found.comparisons
    names = metric_order({name for one in others for name in one.metrics})
    rows = [[name, *(change_cell(one.metrics.get(name)) for one in others)] for name in names]
    for name in sorted({name for one in others for name in one.transfer}):
        rows.append([f"{name}, greedy", *(change_cell(one.transfer.get(name)) for one in others)])
    return Table(["points", *(one.label for one in others)], rows)


def tests_table(found: ComparisonReport) -> Table:
    """Newly solved against newly lost test problems."""
    rows = [
        [
            one.label,
            str(one.shared["test"].problems),
            percent(one.before),
            percent(one.after),
            *mcnemar_cells(one),
        ]
        for one in found.comparisons
    ]
    return Table(["against the first", "problems", "first", "this", *TEST_TITLES], rows)


def bins_table(found: ComparisonReport) -> Table:
    """Gains by how often the base policy of the first run solves a problem."""
    rows = [[one.label, *cells] for one in found.comparisons for cells in bin_rows(one)]
    named = {"base": "first", "policy": "this"}
    return Table(["by difficulty", *(named.get(title, title) for title in BIN_TITLES)], rows)


def configuration_table(found: ComparisonReport) -> Table:
    """Fields in which the runs differ."""
    runs = [one.run for one in found.runs]
    rows = [[one.field, *(one.values[run] for run in runs)] for one in found.configuration]
    return Table(["configuration", *runs], rows)


def costs_table(found: ComparisonReport) -> Table:
    """What each took to make and evaluate, and which artifacts are the first's too."""
    costs = [vars(one.cost) for one in found.policies]
    rows = [
        [title, *(f"{cost[name]:,.{digits}f}" for cost in costs)]
        for name, title, digits in _COSTS
        if any(cost[name] for cost in costs)
    ]
    counts = [one.artifacts for one in found.comparisons]
    rows.append(["artifacts", str(counts[0].first), *(str(count.other) for count in counts)])
    rows.append(["of them also of the first", "", *(str(count.shared) for count in counts)])
    return Table(["to make and measure", *(one.label for one in found.policies)], rows)


def comparison_text(found: ComparisonReport) -> str:
    """All of them as plain text, with the warnings under them."""
    level = f"{100 * found.confidence:g}%"
    parts = [
        ("configurations differ in:", configuration_table(found)),
        (f"measured, in % with {level} intervals:", metrics_table(found)),
        (f"difference to {found.first} on the same problems, in points:", differences_table(found)),
        ("McNemar's exact test, p with Holm's correction:", tests_table(found)),
        ("by how many samples of the first run's base are right:", bins_table(found)),
        ("cost:", costs_table(found)),
    ]
    texts = [f"{title}\n{plain_table(of.head, of.rows)}" for title, of in parts if of.rows]
    warnings = [f"warning: {text}" for text in found.warnings]
    return "\n\n".join([*texts, *(["\n".join(warnings)] if warnings else [])])
