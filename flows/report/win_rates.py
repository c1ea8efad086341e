"""Win rates as a table, for consoles and pages."""

from __future__ import annotations

from collections.abc import Mapping

from flows.report.panel import Panel, Table
from flows.report.tables import metric_cell, plain_table
from tasks.evaluate.win_rate import WinRates

_HEAD = ["", "preferred by", "win rate", "at equal length", "length ratio", "problems", "ties"]


def win_rates_table(rates: Mapping[str, WinRates]) -> Table:
    """In percent with their intervals: a row for each name and each who prefers."""
    every = [(name, by, one) for name, found in rates.items() for by, one in found.by.items()]
    rows = [
        [
            *(name, by, metric_cell(one.raw), metric_cell(one.controlled)),
            *(f"{one.length_ratio:.2f}", str(one.raw.problems), str(one.ties)),
        ]
        for name, by, one in every
    ]
    head = _HEAD
    if any(one.unjudged for _, _, one in every):
        head = [*head, "without an answer"]
        rows = [[*row, str(one.unjudged)] for row, (_, _, one) in zip(rows, every, strict=True)]
    return Table(head, rows)


def win_rates_text(rates: Mapping[str, WinRates], over: str) -> str:
    """The same for the console, under a title; empty where there are none.

    Args:
        rates: By name of the policy or the benchmark.
        over: What the answers are compared with.
    """
    table = win_rates_table(rates)
    if not table.rows:
        return ""
    return f"win rate over {over} in %, with intervals:\n{plain_table(table.head, table.rows)}"


def win_rates_panel(rates: Mapping[str, WinRates], over: str) -> Panel:
    """A section of a page; none of it where there are no win rates.

    Args:
        rates: By name of the policy or the benchmark.
        over: What the answers are compared with.
    """
    note = (
        "Share of problems on which its answer is preferred, in %, ties counting half. At equal "
        "length: a logistic regression on the difference of lengths, read at none (AlpacaEval 2)."
    )
    table = win_rates_table(rates)
    return Panel(f"Win rate over {over}", note, table=table, kind="long").or_nothing()
