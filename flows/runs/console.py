"""What a person sees while a run goes: a line for each finished group of steps, and a bar.

On a terminal the bar is live (rich); elsewhere only the lines are printed.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console as Rich
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from flows.runs.journal_forms import StepLine
from flows.runs.progress import ProgressArtifacts
from tasks.terminal import raw, visible


@dataclass
class _Group:
    """The calls of one step in an iteration, added up."""

    began: float
    ended: float = 0.0
    calls: int = 0
    cached: int = 0
    tokens: int = 0
    note: str = ""

    def add(self, line: StepLine, note: str) -> None:
        self.ended, self.note = time.perf_counter(), note
        self.calls += 1
        self.cached += line.cached
        self.tokens += line.tokens

    def words(self) -> str:
        parts = [f"{self.ended - self.began:7.1f} s"]
        if self.cached:
            whole = self.cached == self.calls
            parts.append("cached" if whole else f"{self.cached} of {self.calls} cached")
        if self.tokens:
            parts.append(f"{self.tokens:,} tokens")
        if self.note:
            parts.append(self.note)
        return " · ".join(parts)


class Console:
    """Prints a run; a context manager that owns the live bar."""

    def __init__(self, run_id: str, *, brief: bool = False) -> None:
        """Nothing is printed yet.

        Args:
            brief: Print no line for a finished group of steps.
        """
        self.brief = brief
        self._rich = Rich(file=raw(sys.stdout), highlight=False, soft_wrap=True)
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
        self._groups: dict[tuple[int, str], _Group] = {}
        self._together = False
        self._lock = threading.Lock()
        self._started = time.perf_counter()
        self._counts = {"Cached": 0, "Completed": 0}

    def __enter__(self) -> Console:
        self._rich.print(f"[bold]restem[/] {escape(visible(self._run_id))}")
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
            if not self.brief and (iteration, group) not in self._groups:
                if not self._together:
                    self._flush()
                self._groups[iteration, group] = _Group(began=time.perf_counter())
            if (first := self._bars.pop("", None)) is not None:
                self._bar.remove_task(first)
            self._bars[label] = self._bar.add_task(escape(visible(label)), total=None)
            self._artifacts.begin(label)

    def progress(self, label: str, done: int, total: int) -> None:
        """A step has done so much."""
        if (bar := self._bars.get(label)) is not None:
            self._bar.update(bar, completed=done, total=total)
        self._artifacts.update(label, done, total)

    def end(self, line: StepLine, note: str) -> None:
        """A step is done; `note` is what it says of its artifact."""
        with self._lock:
            self._counts[line.state] += 1
            if not self.brief:
                self._groups[line.iteration, line.step].add(line, note)
            self._artifacts.end(line.label)
            self._bar.remove_task(self._bars.pop(line.label))

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._rich.print(visible(text), markup=False)

    def warn(self, text: str) -> None:
        """Print a warning above the bar."""
        self._rich.print(f"[yellow]warning:[/] {escape(visible(text))}", markup=True)

    def finish(self, title: str, table: str, page: Path, then: Sequence[str] = ()) -> None:
        """Print the results, where the report is, and what can be done next."""
        self._flush()
        self._bar.stop()
        self._rich.print(visible(title), markup=False)
        self._rich.print(visible(table), markup=False)
        seconds = time.perf_counter() - self._started
        self._rich.print(
            f"steps: {self._counts['Completed']} run, {self._counts['Cached']} cached; "
            f"{seconds:.0f} s"
        )
        self._rich.print(visible(f"report: {page}"), markup=False)
        for line in then:
            self._rich.print(visible(line), markup=False)

    def _flush(self) -> None:
        """Print the lines of the groups that ended."""
        for (iteration, name), group in self._groups.items():
            if group.calls:
                line = f"  {iteration} {name:<20}{group.words()}"
                self._rich.print(visible(line), markup=False)
        self._groups.clear()


class WorkerConsole(Console):
    """The console of a run beside others in a brief one: its bars have a mark of their own."""

    def __init__(self, console: Console, mark: str) -> None:
        """Print where `console` does; `mark` stands before each label."""
        self.brief, self._console, self._mark = True, console, mark

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Nothing is grouped in a brief console."""
        yield

    def begin(self, iteration: int, group: str, label: str) -> None:
        """A step starts."""
        self._console.begin(iteration, group, self._mark + label)

    def progress(self, label: str, done: int, total: int) -> None:
        """A step has done so much."""
        self._console.progress(self._mark + label, done, total)

    def end(self, line: StepLine, note: str) -> None:
        """A step is done."""
        self._console.end(replace(line, label=self._mark + line.label), note)

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.say(text)

    def warn(self, text: str) -> None:
        """Print a warning above the bars."""
        self._console.warn(text)
