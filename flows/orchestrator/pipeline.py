"""Shards on their way: one stage samples while another scores, with no barrier between shards.

A chain is a generator. It yields what it asks for next, is sent the artifact that came of it, and
so says in plain order what depends on what: sample a shard, then score it. `Pipeline` runs many
chains side by side, each stage as wide as its part of the machine, and holds sampling back when
scoring does not keep up.

What is made does not depend on the order, for every sample has its own seed and every artifact its
own key.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field

from flows.machines.local import IN_FLIGHT
from tasks.dag.step import Call
from tasks.dag.step_names import GENERATE, SCORE
from tasks.settings import Resources
from tasks.store.store import ArtifactRef

# Shards that are sampled and not yet scored, beyond which no further one is begun. They lie in the
# store, so this bounds what a kill leaves unscored rather than memory.
MOST_UNSCORED = 8
# After a failure, what still runs is ended; whoever does not end by then is left behind (a thread
# that waits for another run's lock).
END_SECONDS = 20.0


@dataclass(frozen=True)
class StepRequest:
    """What a chain asks for: a call, in a stage, for a line of the tables."""

    stage: str
    call: Call
    iteration: int
    group: str


Chain = Generator[StepRequest, ArtifactRef, None]
Perform = Callable[[StepRequest], ArtifactRef]


def pipeline_of(resources: Resources, perform: Perform, stop: Callable[[], None]) -> Pipeline:
    """The pipeline of one machine, or of a cluster.

    A sampling engine gets the next shard while the last long samples of one are finished, so that
    it never runs half empty. Scoring spreads over the cores of a machine by itself.
    """
    engines = engines_at_once(resources)
    widths = {GENERATE: IN_FLIGHT * engines, SCORE: engines if resources.ray_address else 1}
    return Pipeline(perform, widths, stop, MOST_UNSCORED * engines)


def engines_at_once(resources: Resources) -> int:
    """Sampling engines that shards are for; a shard is for all endpoints together."""
    return 1 if resources.endpoints and not resources.ray_address else resources.engines


def in_turn(chains: Iterable[Chain], perform: Perform) -> None:
    """Run chains one after the other in this thread: for plans and baselines."""
    for chain in chains:
        running = _Running(chain)
        while (request := running.next()) is not None:
            running.given = perform(request)


def found_first(chain: Chain, there: Callable[[StepRequest], ArtifactRef | None]) -> Chain:
    """The chain without what is there already, which is taken while the chain moves on.

    Args:
        chain: Any.
        there: Gives the artifact of a request that needs no work, or None.
    """
    request = next(chain, None)
    while request is not None:
        given = there(request)
        if given is None:
            given = yield request
        try:
            request = chain.send(given)
        except StopIteration:
            return


@dataclass
class _Running:
    """A chain and what it was given last."""

    chain: Chain
    given: ArtifactRef | None = None

    def next(self) -> StepRequest | None:
        """What it asks for now; None at its end."""
        try:
            return next(self.chain) if self.given is None else self.chain.send(self.given)
        except StopIteration:
            return None


@dataclass
class _Stage:
    width: int
    waiting: deque[tuple[_Running, StepRequest]] = field(default_factory=deque)
    running: int = 0


class Pipeline:
    """Runs chains side by side."""

    def __init__(
        self, perform: Perform, widths: Mapping[str, int], stop: Callable[[], None], ahead: int
    ) -> None:
        """Nothing runs yet.

        Args:
            perform: Does what is asked for; called in threads of its own.
            widths: How many requests a stage does at once. Chains begin in the first stage.
            stop: Ends what `perform` is busy with, after a failure or an interrupt.
            ahead: Most chains beyond the first stage and not at their end.
        """
        self._perform, self._stop, self._ahead = perform, stop, ahead
        self._stages = {name: _Stage(width) for name, width in widths.items()}
        self._first = next(iter(widths))
        self._done: queue.SimpleQueue[tuple[_Running, StepRequest, ArtifactRef | BaseException]]
        self._done = queue.SimpleQueue()

    def run(self, chains: Iterable[Chain]) -> None:
        """Run all chains to their ends.

        Raises:
            BaseException: the first that `perform` raised, after what else ran was ended.
        """
        fresh = (_Running(chain) for chain in chains)
        try:
            while self._fill(fresh):
                running, request, result = self._done.get()
                self._stages[request.stage].running -= 1
                if isinstance(result, BaseException):
                    raise result
                running.given = result
                self._queue(running)
        except BaseException:
            self._stop()
            self._wait()
            raise

    def _fill(self, fresh: Iterable[_Running]) -> bool:
        """Start what there is room for; whether anything runs."""
        first = self._stages[self._first]
        while (
            first.running + len(first.waiting) < first.width
            and self._beyond() < self._ahead
            and (chain := next(iter(fresh), None)) is not None
        ):
            self._queue(chain)
        for stage in self._stages.values():
            while stage.waiting and stage.running < stage.width:
                self._start(stage, *stage.waiting.popleft())
        return any(stage.running for stage in self._stages.values())

    def _beyond(self) -> int:
        """Chains that have left the first stage."""
        stages = [stage for name, stage in self._stages.items() if name != self._first]
        return sum(stage.running + len(stage.waiting) for stage in stages)

    def _queue(self, running: _Running) -> None:
        request = running.next()
        if request is not None:
            self._stages[request.stage].waiting.append((running, request))

    def _start(self, stage: _Stage, running: _Running, request: StepRequest) -> None:
        stage.running += 1
        # In a copy of this context, so that Prefect knows the flow that a task belongs to.
        context = contextvars.copy_context()

        def work() -> None:
            try:
                result: ArtifactRef | BaseException = context.run(self._perform, request)
            except BaseException as error:
                result = error
            self._done.put((running, request, result))

        threading.Thread(target=work, name=request.call.label, daemon=True).start()

    def _wait(self) -> None:
        """Wait for the threads that still run, for a while."""
        for _ in range(sum(stage.running for stage in self._stages.values())):
            try:
                self._done.get(timeout=END_SECONDS)
            except queue.Empty:
                return
