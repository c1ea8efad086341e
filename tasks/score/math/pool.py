"""Grades many pairs: cheap rules here and in blocks, symbolic work in processes that can be killed.

No signal, alarm or fork of this process is used, so it works from any thread. A worker process is
started when the first pair needs it; most data sets never start one. Workers end at end of file
when this process ends, however it ends (worker.py).

A job that runs long will probably be killed, so a spare worker is started beside it: the pair
behind it then waits for the time limit, and not for the start of a process too. Verdicts are
remembered, so that a slow answer which a policy gives in many samples costs its time once.
"""

from __future__ import annotations

import itertools
import signal
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial

from tasks.dag.contracts import Grade, Timed
from tasks.errors import StepError
from tasks.metering import Meter, meter
from tasks.processes.killable_pool import ATTEMPTS, KillablePool
from tasks.rows import Status
from tasks.score.math.blocks import (
    ALONE,
    SECONDS_OF_A_PAIR,
    Outcome,
    Pair,
    by_rules,
    next_block,
    outcomes_of,
    worth_sending,
)
from tasks.score.math.decide import bare, refused

_MODULE = "tasks.score.math.worker"
# The CPU limit is the worker's own; wall time is only for one that sleeps or is starved.
WALL_FACTOR = 4.0
# sympy's caches grow with every job: a fresh process now and then keeps memory flat.
JOBS_OF_A_WORKER = 2000
# Pairs read ahead while a symbolic job runs, so that order is kept and memory is bounded. As many
# as the cheap rules decide in about half a second.
_WINDOW = 4096
# Characters of the pairs read ahead: whoever asks may hold their texts until the verdict.
HELD = 64_000_000
# Verdicts of symbolic jobs that are remembered: at most some megabytes, as their texts are short.
REMEMBERED = 4096
# After this share of its limit a job's worker gets a spare beside it.
LONG = 0.25
# Spares are for a job that is killed; more of them would only use memory.
SPARES = 1


class GradePool(KillablePool):
    """Checker processes behind one `grade`; a context manager that ends them."""

    def __init__(self, workers: int, time_limit: float, *, work_out: bool = False) -> None:
        """Nothing is started yet.

        Args:
            workers: Most checker processes at a time, at least 1.
            time_limit: Seconds of CPU that one pair may use.
            work_out: As in `decide`.
        """
        if workers < 1 or time_limit <= 0:
            raise ValueError("a pool needs at least one worker and a positive time limit")
        policy = ["work_out"] if work_out else []
        super().__init__("the grading pool", workers, _MODULE, str(time_limit), *policy)
        self._by_rules = partial(by_rules, work_out=work_out)
        self._workers = workers
        self._limit = time_limit
        self._asked: OrderedDict[tuple[str, str], Future[Timed]] = OrderedDict()

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took, in order; pairs are (gold, prediction).

        A pair that is out of time or memory, or that the checker cannot do, has the status
        `checker_error`.
        """
        waiting: deque[Timed | Future[Timed]] = deque()
        sizes: deque[int] = deque()
        held = 0
        for (gold, prediction), (grade, seconds) in self._decided(iter(pairs)):
            if grade is not None and not waiting:
                yield grade, seconds
                continue
            if grade is None:
                waiting.append(self._ask(*bare(gold, prediction)))
            else:
                waiting.append((grade, seconds))
            sizes.append(len(gold) + len(prediction))
            held += sizes[-1]
            while waiting and (len(waiting) >= _WINDOW or held > HELD or _ready(waiting[0])):
                held -= sizes.popleft()
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())

    def _decided(self, pairs: Iterator[Pair]) -> Iterator[tuple[Pair, Outcome]]:
        """Each pair in order, and what the rules say; of a long series workers decide some."""
        alone = pairs if self._workers < 2 else itertools.islice(pairs, ALONE)
        for pair in alone:
            yield pair, self._by_rules(pair)
        blocks: deque[tuple[list[Pair], list[Outcome] | Future[list[Outcome] | None]]] = deque()
        ended = self._workers < 2
        while blocks or not ended:
            flying = sum(isinstance(found, Future) and not found.done() for _, found in blocks)
            block = [] if ended else next_block(pairs)
            ended = not block
            if block and flying < self._workers - 1 and worth_sending(block):
                blocks.append((block, self._send(block)))
            elif block:
                blocks.append((block, [*map(self._by_rules, block)]))
            while blocks and (ended or len(blocks) > 2 * self._workers or _ready(blocks[0][1])):
                block, found = blocks.popleft()
                yield from zip(block, self._outcomes(block, found), strict=True)

    def _outcomes(
        self, block: list[Pair], found: list[Outcome] | Future[list[Outcome] | None]
    ) -> list[Outcome]:
        """A block's outcomes; decided here where its worker is gone, or still has other work."""
        if isinstance(found, Future):
            found = (None if found.cancel() else found.result()) or [*map(self._by_rules, block)]
        return found

    def _send(self, block: list[Pair]) -> Future[list[Outcome] | None]:
        with self._lock:
            self._refuse_closed()
            return self._threads.submit(self._block, block, meter())

    def _block(self, block: list[Pair], asker: Meter | None) -> list[Outcome] | None:
        """Have a worker decide a block by the cheap rules; None where it gave no reply."""
        worker = self._take()
        seconds = self._limit + SECONDS_OF_A_PAIR * len(block)
        reply = worker.ask({"pairs": block}, seconds * WALL_FACTOR + 1.0)
        worker.cpu.read(asker)
        self._put_back(worker, fit=reply is not None and not reply["worn"])
        self._refuse_closed()
        return None if reply is None else outcomes_of(reply["outcomes"])

    def _ask(self, reference: str, answer: str) -> Timed | Future[Timed]:
        """The verdict on two bare answers, now or later; what was asked before costs nothing."""
        with self._lock:
            self._refuse_closed()
            known = self._asked.get((reference, answer))
            if known is not None:
                self._asked.move_to_end((reference, answer))
                return (known.result()[0], 0.0) if known.done() else known
            asked = self._threads.submit(self._symbolic, reference, answer, meter())
            self._asked[reference, answer] = asked
            if len(self._asked) > REMEMBERED:
                self._asked.popitem(last=False)
            return asked

    def _symbolic(self, reference: str, answer: str, asker: Meter | None) -> Timed:
        """Have one pair decided by a worker; runs in a thread of this process."""
        try:
            result = self._tried(reference, answer, asker)
        except StepError:
            self._forget(reference, answer)
            raise
        return result

    def _tried(self, reference: str, answer: str, asker: Meter | None) -> Timed:
        seconds = 0.0
        for _ in range(ATTEMPTS):
            worker = self._take()
            start = time.perf_counter()
            reply = worker.ask(
                [reference, answer],
                self._limit * WALL_FACTOR + 1.0,
                self._limit * LONG,
                self._start_spare,
            )
            seconds = time.perf_counter() - start
            worker.cpu.read(asker)  # a dead one can be read until it is awaited
            fit = reply is not None and not reply["worn"] and worker.jobs < JOBS_OF_A_WORKER
            self._put_back(worker, fit=fit)
            self._refuse_closed()  # close() ended the worker, which says nothing of the pair
            if reply is not None:
                reward, status, extracted = reply["grade"]
                return Grade(reward, Status(status), extracted), seconds
            if worker.late or worker.died_of(signal.SIGPROF):
                return refused(answer), seconds
        self._forget(reference, answer)  # died, but not of its limit: another time it may not
        return refused(answer), seconds

    def _forget(self, reference: str, answer: str) -> None:
        with self._lock:
            self._asked.pop((reference, answer), None)

    def _start_spare(self) -> None:
        with self._lock:
            room = len(self._all) < self._workers + SPARES
            if room and not self._idle and not self._closed:
                self._idle.append(self._start())


def _ready(item: object) -> bool:
    return not isinstance(item, Future) or item.done()


def _result(item: Timed | Future[Timed]) -> Timed:
    return item.result() if isinstance(item, Future) else item
