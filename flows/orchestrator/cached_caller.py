"""Finds every step of a run in the store and does none: a finished run that is asked for again.

Nothing is written, repaired or said until all of it is found; then it is said and journalled as
through Prefect, each step `Cached`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flows.orchestrator.alarm import Alarm
from flows.orchestrator.pipeline import Chain, in_turn
from flows.runs.console import Console
from flows.runs.journal import Journal
from flows.runs.step_lines import step_line
from tasks.dag.step import Call
from tasks.evaluate.results import Metrics
from tasks.model_checks.question import Question
from tasks.settings import SamplingSettings
from tasks.store.manifest import Damage, Refused
from tasks.store.store import ArtifactRef, Store


class NotCached(Exception):
    """There is work to do; it says what."""


@dataclass(frozen=True)
class _Found:
    call: Call
    ref: ArtifactRef
    iteration: int
    group: str
    took: float


class CachedCaller:
    """Looks calls up, and keeps what there is to say of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.before_work: Callable[[Call], None] = lambda _: None
        self._found: list[list[_Found] | _Found | str] = []
        self._side_by_side: list[_Found] | None = None

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """The artifact.

        Raises:
            NotCached: it is not there, or not whole.
        """
        started = time.perf_counter()
        try:
            ref = self.store.lookup(call.step.kind, call.key)
        except (Damage, Refused) as error:
            raise NotCached(call.label) from error
        if ref is None:
            raise NotCached(call.label)
        found = _Found(call, ref, iteration, group, time.perf_counter() - started)
        into = self._found if self._side_by_side is None else self._side_by_side
        into.append(found)
        return ref

    def drive(self, chains: Iterable[Chain]) -> None:
        """Look them up in turn; they are said together."""
        together: list[_Found] = []
        self._found.append(together)
        self._side_by_side = together
        try:
            in_turn(chains, lambda asked: self.call(asked.call, asked.iteration, asked.group))
        finally:
            self._side_by_side = None

    def pending(self, ref: ArtifactRef) -> bool:
        """Nothing is only planned here."""
        return False

    def end_stage(self) -> None:
        """Nothing was started."""

    def look(self, *questions: Question) -> None:
        """What is cached needs no model."""

    def review(self, number: int, sampling: SamplingSettings, metrics: Metrics) -> None:
        """Nobody is asked: runs with reviews go through Prefect."""

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Whoever listens was told when it was new."""

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self._found.append(text)

    def tell(self, console: Console, journal: Journal) -> None:
        """Say and journal all that was found, in the order of the run."""
        for one in self._found:
            if isinstance(one, str):
                console.warn(one)
                journal.warn(one)
            elif isinstance(one, list):
                with console.together():
                    for found in one:
                        self._tell(found, console, journal)
            else:
                self._tell(one, console, journal)

    def _tell(self, found: _Found, console: Console, journal: Journal) -> None:
        console.begin(found.iteration, found.group, found.call.label)
        line, note = step_line(
            self.store,
            found.call,
            found.ref,
            found.iteration,
            found.group,
            cached=True,
            took=found.took,
            ended=journal.now(),
        )
        journal.step(line)
        console.end(line, note)
