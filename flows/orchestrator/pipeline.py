"""Shards on their way: one lane samples while another scores, with no barrier between shards.

A chain is a generator. It yields what it asks for next, is sent the artifact that came of it, and
so says in plain order what depends on what: sample a shard, then score it. `Lanes` runs many chains
side by side, each lane as wide as its part of the machine, and holds sampling back when scoring
does not keep up.

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

from tasks.dag.step import Call
from tasks.dag.step_names import GENERATE, SCORE
from tasks.settings import Resources
from tasks.store.store import ArtifactRef

# Shards that are sampled and not yet scored, beyond which no further one is begun. They lie in the
# store, so this bounds what a kill leaves unscored rather than memory.
AHEAD = 8
# Shards that an engine has at once.
IN_FLIGHT = 2
# After a failure, what still runs is ended; whoever does not end by then is left behind (a thread
# that waits for another run's lock).
END_SECONDS = 20.0


@dataclass(frozen=True)
class Ask:
    """What a chain asks for: a call, in a lane, for a line of the tables."""

    lane: str
    call: Call
    iteration: int
    group: str


Chain = Generator[Ask, ArtifactRef, None]
Perform = Callable[[Ask], ArtifactRef]


def lanes_of(resources: Resources, perform: Perform, stop: Callable[[], None]) -> Lanes:
    """The lanes of one machine, or of a cluster.

    A sampling engine gets the next shard while the last long samples of one are finished, so that
    it never runs half empty. Scoring spreads over the cores of a machine by itself.

    Args:
        resources: How many engines there are.
        perform: See `Lanes`.
        stop: See `Lanes`.
    """
    engines = resources.engines if resources.ray_address else 1
    widths = {GENERATE: IN_FLIGHT * engines, SCORE: engines}
    return Lanes(perform, widths, stop, AHEAD * engines)


def in_turn(chains: Iterable[Chain], perform: Perform) -> None:
    """Run chains one after the other in this thread: for plans and baselines."""
    for chain in chains:
        lane = _Moving(chain)
        while (ask := lane.next()) is not None:
            lane.given = perform(ask)


def found_first(chain: Chain, there: Callable[[Ask], ArtifactRef | None]) -> Chain:
    """The chain without what is there already, which is taken while the chain moves on.

    Args:
        chain: Any.
        there: Gives the artifact of an ask that needs no work, or None.
    """
    ask = next(chain, None)
    while ask is not None:
        given = there(ask)
        if given is None:
            given = yield ask
        try:
            ask = chain.send(given)
        except StopIteration:
            return


@dataclass
class _Moving:
    """A chain and what it was given last."""

    chain: Chain
    given: ArtifactRef | None = None

    def next(self) -> Ask | None:
        """What it asks for now; None at its end."""
        try:
            return next(self.chain) if self.given is None else self.chain.send(self.given)
        except StopIteration:
            return None


@dataclass
class _Lane:
    width: int
    waiting: deque[tuple[_Moving, Ask]] = field(default_factory=deque)
    running: int = 0


class Lanes:
    """Runs chains side by side."""

    def __init__(
        self, perform: Perform, widths: Mapping[str, int], stop: Callable[[], None], ahead: int
    ) -> None:
        """Nothing runs yet.

        Args:
            perform: Does what is asked for; called in threads of its own.
            widths: How many asks a lane does at once. Chains begin in the first lane.
            stop: Ends what `perform` is busy with, after a failure or an interrupt.
            ahead: Most chains beyond the first lane and not at their end.
        """
        self._perform, self._stop, self._ahead = perform, stop, ahead
        self._lanes = {name: _Lane(width) for name, width in widths.items()}
        self._first = next(iter(widths))
        self._done: queue.SimpleQueue[tuple[_Moving, Ask, ArtifactRef | BaseException]]
        self._done = queue.SimpleQueue()

    def run(self, chains: Iterable[Chain]) -> None:
        """Run all chains to their ends.

        Raises:
            BaseException: the first that `perform` raised, after what else ran was ended.
        """
        fresh = (_Moving(chain) for chain in chains)
        try:
            while self._fill(fresh):
                moving, ask, result = self._done.get()
                self._lanes[ask.lane].running -= 1
                if isinstance(result, BaseException):
                    raise result
                moving.given = result
                self._queue(moving)
        except BaseException:
            self._stop()
            self._wait()
            raise

    def _fill(self, fresh: Iterable[_Moving]) -> bool:
        """Start what there is room for; whether anything runs."""
        first = self._lanes[self._first]
        while (
            first.running + len(first.waiting) < first.width
            and self._beyond() < self._ahead
            and (chain := next(iter(fresh), None)) is not None
        ):
            self._queue(chain)
        for lane in self._lanes.values():
            while lane.waiting and lane.running < lane.width:
                self._start(lane, *lane.waiting.popleft())
        return any(lane.running for lane in self._lanes.values())

    def _beyond(self) -> int:
        """Chains that have left the first lane."""
        lanes = [lane for name, lane in self._lanes.items() if name != self._first]
        return sum(lane.running + len(lane.waiting) for lane in lanes)

    def _queue(self, moving: _Moving) -> None:
        ask = moving.next()
        if ask is not None:
            self._lanes[ask.lane].waiting.append((moving, ask))

    def _start(self, lane: _Lane, moving: _Moving, ask: Ask) -> None:
        lane.running += 1
        # In a copy of this context, so that Prefect knows the flow that a task belongs to.
        context = contextvars.copy_context()

        def work() -> None:
            try:
                result: ArtifactRef | BaseException = context.run(self._perform, ask)
            except BaseException as error:
                result = error
            self._done.put((moving, ask, result))

        threading.Thread(target=work, name=ask.call.label, daemon=True).start()

    def _wait(self) -> None:
        """Wait for the threads that still run, for a while."""
        for _ in range(sum(lane.running for lane in self._lanes.values())):
            try:
                self._done.get(timeout=END_SECONDS)
            except queue.Empty:
                return
