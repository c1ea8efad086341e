"""What a person sees while a run goes: a line for each finished group of steps, and a bar.

On a terminal the bar is live (rich); elsewhere only the lines are printed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console as Rich
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from flows.runs.progress import ProgressArtifacts
from tasks.rows import Json


class Console:
    """Prints a run; a context manager that owns the live bar."""

    def __init__(self, run_id: str, *, brief: bool = False) -> None:
        """Nothing is printed yet.

        Args:
            run_id: Of the run.
            brief: Print no line for a finished group of steps.
        """
        self.brief = brief
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
        self._bars: dict[str, TaskID] = {"": self._bar.add_task("starting", total=None)}
        self._artifacts = ProgressArtifacts()
        self._sums: dict[tuple[int, str], Json] = {}
        self._together = False
        self._lock = threading.Lock()
        self._started = time.perf_counter()
        self._counts = {"Cached": 0, "Completed": 0}

    def __enter__(self) -> Console:
        self._rich.print(f"[bold]restem[/] {self._run_id}")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._bar.stop()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Steps of several groups run side by side: their lines are printed at the end."""
        self._flush()
        self._together = True
        try:
            yield
        finally:
            self._together = False
            self._flush()

    def begin(self, iteration: int, group: str, label: str) -> None:
        """A step starts; this, `progress` and `end` from any thread."""
        with self._lock:
            if (iteration, group) not in self._sums:
                if not self._together:
                    self._flush()
                names = ("calls", "cached", "rows", "tokens", "to")
                since = {"from": time.perf_counter(), "note": ""}
                self._sums[iteration, group] = {**dict.fromkeys(names, 0), **since}
            if (first := self._bars.pop("", None)) is not None:
                self._bar.remove_task(first)
            self._bars[label] = self._bar.add_task(label, total=None)
            self._artifacts.begin(label)

    def progress(self, label: str, done: int, total: int) -> None:
        """A step has done so much."""
        if (bar := self._bars.get(label)) is not None:
            self._bar.update(bar, completed=done, total=total)
        self._artifacts.update(label, done, total)

    def end(self, entry: Json, note: str) -> None:
        """A step is done; `entry` is its journal line, `note` what it tells of itself."""
        with self._lock:
            self._counts[entry["state"]] += 1
            sums = self._sums[entry["iteration"], entry["step"]]
            sums["calls"] += 1
            sums["cached"] += entry["state"] == "Cached"
            for name in ("rows", "tokens"):
                sums[name] += entry[name]
            sums["to"] = time.perf_counter()
            sums["note"] = note
            self._artifacts.end(entry["label"])
            self._bar.remove_task(self._bars.pop(entry["label"]))

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
        """Print the lines of the groups that ended."""
        for (iteration, group), sums in self._sums.items():
            if not sums["calls"] or self.brief:
                continue
            parts = [f"{sums['to'] - sums['from']:7.1f} s"]
            if sums["cached"]:
                whole = sums["cached"] == sums["calls"]
                parts.append("cached" if whole else f"{sums['cached']} of {sums['calls']} cached")
            if sums["tokens"]:
                parts.append(f"{sums['tokens']:,} tokens")
            if sums["note"]:
                parts.append(sums["note"])
            self._rich.print(f"  {iteration} {group:<20}" + " · ".join(parts), markup=False)
        self._sums.clear()
