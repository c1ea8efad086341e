"""A caller for many runs in one flow: what they have in common is asked for once and counted.

Runs of a study ask for the same artifacts over and over: the base policy's evaluation, the first
E-step, whole arms. The second time within a flow neither Prefect nor the store is asked. Of two
runs at once that need the same the store lets one make it, and the other waits. What each run
asked for, shared, found and made is counted, in samples and in the seconds that the artifacts took
when they were made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flows.orchestrator.alarm import Alarm
from flows.orchestrator.pipeline import Chain, StepRequest
from flows.orchestrator.prefect_caller import PrefectCaller
from flows.study.results import Account, Source
from tasks.dag.step import Call
from tasks.evaluate.results import Metrics
from tasks.model_checks.question import Question
from tasks.settings import SamplingSettings
from tasks.store.store import ArtifactRef

_SAMPLES = "samples"  # kind of the artifacts that hold samples


@dataclass(frozen=True)
class Known:
    """What the runs of a flow have had: by key the artifact and the seconds that it took."""

    refs: dict[str, ArtifactRef] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class SharedCaller:
    """Calls the steps of a run through another caller, each key once for all runs."""

    def __init__(self, inner: PrefectCaller, known: Known) -> None:
        """For a run, or what comes after all; `account` counts what is asked for."""
        self.store, self._inner = inner.store, inner
        self._known, self.account = known, Account()
        inner.told = self._told

    @property
    def before_work(self) -> Callable[[Call], None]:
        """Told of each call that is not cached."""
        return self._inner.before_work

    @before_work.setter
    def before_work(self, told: Callable[[Call], None]) -> None:
        self._inner.before_work = told

    def look(self, *questions: Question) -> None:
        """See that a model can be used so."""
        self._inner.look(*questions)

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Do it, find it, or take what an earlier run had."""
        ref = self._earlier(call)
        if ref is None:
            ref = self._inner.call(call, iteration, group)
            self._known.refs[call.key] = ref
        return ref

    def drive(self, chains: Iterable[Chain]) -> None:
        """Run them side by side, but for what an earlier run had."""
        self._inner.drive(self._remembered(chain) for chain in chains)

    def _remembered(self, chain: Chain) -> Chain:
        request: StepRequest | None = next(chain, None)
        while request is not None:
            given = self._earlier(request.call)
            if given is None:
                given = self._known.refs[request.call.key] = yield request
            try:
                request = chain.send(given)
            except StopIteration:
                return

    def _earlier(self, call: Call) -> ArtifactRef | None:
        ref = self._known.refs.get(call.key)
        if ref is not None:
            self._count(ref, self._known.seconds[call.key], "shared")
        return ref

    def _told(self, call: Call, ref: ArtifactRef, cached: bool) -> None:
        seconds = self.store.manifest(ref).stats.seconds or 0.0
        how: Source = "found" if cached else "made"
        with self._known.lock:
            if call.key in self._known.seconds:  # a run beside this one had it meanwhile
                how = "shared"
            self._known.seconds[call.key] = seconds
        self._count(ref, seconds, how)

    def _count(self, ref: ArtifactRef, seconds: float, how: Source) -> None:
        with self._known.lock:
            self.account.tasks.add(1, how)
            self.account.seconds.add(seconds, how)
            if ref.kind == _SAMPLES:
                self.account.samples.add(ref.rows, how)

    def pending(self, ref: ArtifactRef) -> bool:
        """Nothing is only planned here."""
        return False

    def end_stage(self) -> None:
        """Free the engine's memory."""
        self._inner.end_stage()

    def review(self, number: int, sampling: SamplingSettings, metrics: Metrics) -> None:
        """Nobody is asked: the arms of a study are fixed before it."""

    def alarm(self, number: int, alarm: Alarm) -> None:
        """Over-fitting is what some studies look for; it is in their figures."""

    def warn(self, text: str) -> None:
        """Keep it with the study's journal; an arm may well do badly."""
        self._inner.journal.warn(text)
