"""Grades many pairs: cheap rules here, symbolic work in processes that can be killed.

No signal, alarm or fork of this process is used, so it works from any thread. A worker process is
started when the first pair needs it; most data sets never start one. Workers end at end of file
when this process ends, however it ends (worker.py).

A job that runs long will probably be killed, so a spare worker is started beside it: the pair
behind it then waits for the time limit, and not for the start of a process too. Verdicts are
remembered, so that a slow answer which a policy gives in many samples costs its time once.
"""

from __future__ import annotations

import signal
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from tasks.dag.contracts import Grade, Timed
from tasks.errors import StepError
from tasks.metering import Meter, meter
from tasks.processes.killable_pool import ATTEMPTS, KillablePool
from tasks.rows import Status
from tasks.score.math.decide import bare, decide, refused

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

    def __init__(self, workers: int, time_limit: float) -> None:
        """Nothing is started yet.

        Args:
            workers: Most checker processes at a time, at least 1.
            time_limit: Seconds of CPU that one pair may use.
        """
        if workers < 1 or time_limit <= 0:
            raise ValueError("a pool needs at least one worker and a positive time limit")
        super().__init__("the grading pool", workers, _MODULE, str(time_limit))
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
        for gold, prediction in pairs:
            start = time.perf_counter()
            grade = decide(gold, prediction)
            if grade is not None and not waiting:
                yield grade, time.perf_counter() - start
                continue
            if grade is None:
                waiting.append(self._ask(*bare(gold, prediction)))
            else:
                waiting.append((grade, time.perf_counter() - start))
            sizes.append(len(gold) + len(prediction))
            held += sizes[-1]
            while waiting and (len(waiting) >= _WINDOW or held > HELD or _ready(waiting[0])):
                held -= sizes.popleft()
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())

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


def _ready(item: Timed | Future[Timed]) -> bool:
    return not isinstance(item, Future) or item.done()


def _result(item: Timed | Future[Timed]) -> Timed:
    return item.result() if isinstance(item, Future) else item
