"""A comparison of runs as tables, for the console and for the page."""

from __future__ import annotations

from typing import Any

from flows.evaluate.tables import cell, difference
from flows.report.paired import BINS, TESTED, bins, tested
from flows.report.tables import metric_order, plain_table
from flows.report.values import percent
from tasks.rows import Json

Table = tuple[list[str], list[list[str]]]
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


def metrics_table(found: Json) -> Table:
    """Every metric of every policy, on all problems of its own run."""
    policies = found["policies"]
    names = metric_order({name for one in policies for name in one["metrics"]})
    rows = [
        [name, *(_metric(name, one["metrics"].get(name)) for one in policies)] for name in names
    ]
    for name in sorted({name for one in policies for name in one["transfer"]}):
        rows.append([f"{name}, greedy", *(cell(one["transfer"].get(name)) for one in policies)])
    return ["metric", *(one["label"] for one in policies)], rows


def _metric(name: str, raw: Any) -> str:
    return difference(raw) if name == "gap" else cell(raw)


def differences_table(found: Json) -> Table:
    """What each is better by than the first, in points, on the problems that both tried."""
    others = found["comparisons"]
    names = metric_order({name for one in others for name in one["metrics"]})
    rows = [[name, *(difference(one["metrics"].get(name)) for one in others)] for name in names]
    for name in sorted({name for one in others for name in one["transfer"]}):
        rows.append([f"{name}, greedy", *(difference(one["transfer"].get(name)) for one in others)])
    return ["points", *(one["label"] for one in others)], rows


def tests_table(found: Json) -> Table:
    """Newly solved against newly lost test problems."""
    rows = [
        [
            one["label"],
            str(one["shared"]["test"]["problems"]),
            percent(one["before"]),
            percent(one["after"]),
            *tested(one),
        ]
        for one in found["comparisons"]
    ]
    return ["against the first", "problems", "first", "this", *TESTED], rows


def bins_table(found: Json) -> Table:
    """Gains by how often the base policy of the first run solves a problem."""
    rows = [[one["label"], *cells] for one in found["comparisons"] for cells in bins(one)]
    named = {"base": "first", "policy": "this"}
    return ["by difficulty", *(named.get(title, title) for title in BINS)], rows


def configuration_table(found: Json) -> Table:
    """Fields in which the runs differ."""
    runs = [one["run"] for one in found["runs"]]
    rows = [[one["field"], *(one["values"][run] for run in runs)] for one in found["configuration"]]
    return ["configuration", *runs], rows


def costs_table(found: Json) -> Table:
    """What each took to make and measure, and which artifacts are the first's too."""
    policies = found["policies"]
    rows = [
        [title, *(f"{one['cost'][name]:,.{digits}f}" for one in policies)]
        for name, title, digits in _COSTS
        if any(one["cost"][name] for one in policies)
    ]
    counts = [one["artifacts"] for one in found["comparisons"]]
    rows.append(
        ["artifacts", *(str(n) for n in (counts[0]["first"], *(c["other"] for c in counts)))]
    )
    rows.append(["of them also of the first", "", *(str(count["shared"]) for count in counts)])
    return ["to make and measure", *(one["label"] for one in policies)], rows


def tables(found: Json) -> str:
    """All of them as plain text, with the warnings under them."""
    level = f"{100 * found['confidence']:g}%"
    first = found["first"]
    parts = [
        ("configurations differ in:", configuration_table(found)),
        (f"measured, in % with {level} intervals:", metrics_table(found)),
        (f"difference to {first} on the same problems, in points:", differences_table(found)),
        ("McNemar's exact test, p with Holm's correction:", tests_table(found)),
        ("by how many samples of the first run's base are right:", bins_table(found)),
        ("cost:", costs_table(found)),
    ]
    texts = [f"{title}\n{plain_table(*table)}" for title, table in parts if table[1]]
    warnings = [f"warning: {text}" for text in found["warnings"]]
    return "\n\n".join([*texts, *(["\n".join(warnings)] if warnings else [])])
