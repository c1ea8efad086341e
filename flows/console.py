"""What a person sees while a run goes: a line for each finished group of steps, and a bar.

On a terminal the bar is live (rich); elsewhere only the lines are printed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console as Rich
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from flows.progress import ProgressArtifact

Json = dict[str, Any]
# The order of metrics in tables; pass@k and maj@k follow by their k.
ORDER = ("greedy", "train", "gap", "validation")


class Console:
    """Prints a run; a context manager that owns the live bar."""

    def __init__(self, run_id: str) -> None:
        self._rich = Rich(highlight=False, soft_wrap=True)
        self._run_id = run_id
        self._bar = Progress(
            TextColumn("[cyan]{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=self._rich,
            transient=True,
            disable=not self._rich.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._artifact = ProgressArtifact()
        self._group: tuple[int, str] | None = None
        self._sum: Json = {}
        self._started = time.perf_counter()
        self._counts = {"Cached": 0, "Completed": 0}

    def __enter__(self) -> Console:
        self._rich.print(f"[bold]restem[/] {self._run_id}")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._bar.stop()

    def begin(self, iteration: int, group: str, label: str) -> None:
        """A step starts."""
        if self._group != (iteration, group):
            self._flush()
            self._group = (iteration, group)
            self._sum = {"calls": 0, "cached": 0, "rows": 0, "tokens": 0, "took": 0.0, "note": ""}
        self._bar.update(self._task, description=label, completed=0, total=None)
        self._artifact.begin(label)

    def progress(self, label: str, done: int, total: int) -> None:
        """The current step has done so much."""
        self._bar.update(self._task, description=label, completed=done, total=total)
        self._artifact.update(done, total)

    def end(self, entry: Json, stats: Json) -> None:
        """A step is done; `entry` is its journal line."""
        self._counts[entry["state"]] += 1
        self._sum["calls"] += 1
        self._sum["cached"] += entry["state"] == "Cached"
        for name in ("rows", "tokens", "took"):
            self._sum[name] += entry[name]
        self._sum["note"] = stats.get("note", "")

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._rich.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print a warning above the bar."""
        self._rich.print(f"[yellow]warning:[/] {text}", markup=True)

    def finish(self, title: str, table: str, page: Path) -> None:
        """Print the results and where the report is."""
        self._flush()
        self._bar.stop()
        self._rich.print(title)
        self._rich.print(table, markup=False)
        seconds = time.perf_counter() - self._started
        self._rich.print(
            f"steps: {self._counts['Completed']} run, {self._counts['Cached']} cached; "
            f"{seconds:.0f} s"
        )
        self._rich.print(f"report: {page}")

    def _flush(self) -> None:
        """Print the line of the group that ended."""
        if self._group is None or not self._sum.get("calls"):
            return
        iteration, group = self._group
        sums = self._sum
        parts = [f"{sums['took']:7.1f} s"]
        if sums["cached"]:
            whole = sums["cached"] == sums["calls"]
            parts.append("cached" if whole else f"{sums['cached']} of {sums['calls']} cached")
        if sums["tokens"]:
            parts.append(f"{sums['tokens']:,} tokens")
        if sums["note"]:
            parts.append(sums["note"])
        self._rich.print(f"  {iteration} {group:<20}" + " · ".join(parts), markup=False)
        self._group = None


def results_table(summary: Json) -> str:
    """Metrics of every policy with their intervals, in percent, as a plain table."""
    names = metric_order({name for item in summary["iterations"] for name in item["metrics"]})
    rows = [
        [
            "base" if item["iteration"] == 0 else f"p{item['iteration']}",
            *[metric_cell(item["metrics"].get(name)) for name in names],
        ]
        for item in summary["iterations"]
    ]
    return plain_table(["policy", *names], rows)


def plain_table(titles: list[str], rows: list[list[Any]]) -> str:
    """Columns as wide as their widest cell, numbers to the right; never cut or wrapped."""
    cells = [titles, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(titles))]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if cell.replace(".", "").isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def metric_order(names: set[str]) -> list[str]:
    """Metric names in the order people read them."""
    first = [name for name in ORDER if name in names]
    rest = sorted(
        names - set(first), key=lambda n: (n.split("@")[0] != "pass", int(n.split("@")[1]))
    )
    return first + rest


def metric_cell(metric: Json | None) -> str:
    """A value with its interval, in percent."""
    if not metric:
        return "-"
    low, high = 100 * metric["low"], 100 * metric["high"]
    return f"{100 * metric['value']:.1f} [{low:.0f}, {high:.0f}]"
