"""A second opinion on answers: math-verify, in processes that can be killed.

It shares no code with our checker, so where the two agree they do so for different reasons. It has
faults of its own (it takes 1/2004! for 1/2006!, it is not symmetric, some inputs hang it): an
opinion, not the truth. `restem audit` compares it with a run's verdicts (flows/audit/flow.py).
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tasks.errors import StepError
from tasks.rows import Json
from tasks.score.checker_process import CheckerProcess
from tasks.score.math.extract.answer import gold_answer

NAME = "math-verify"
MODULE = "tasks.score.second.worker"
# Wall seconds for one pair. Honest pairs take well under a second, also on a busy machine.
LIMIT_SECONDS = 10.0
# The libraries' caches grow with every pair: a fresh process now and then keeps memory flat.
PAIRS_OF_A_WORKER = 500
# A worker that died without being late (killed from outside) says nothing of the pair.
ATTEMPTS = 2
# Of long texts the end is read, where the answer is: its patterns are slow on long texts.
MAX_TEXT = 20_000
# Pairs read ahead, so that order is kept and memory is bounded.
WINDOW = 128


class Opinion(enum.StrEnum):
    """What the second checker says of a pair."""

    EQUAL = "equal"
    UNEQUAL = "unequal"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Seen:
    """What it read on one side: the text it found, and the value it took that for."""

    text: str = ""
    value: str = ""


@dataclass(frozen=True)
class Second:
    """The second opinion on one pair."""

    opinion: Opinion
    why: str = ""  # of an undecided one: time, memory, died, or the name of an error
    gold: Seen = Seen()
    answer: Seen = Seen()


class SecondChecker:
    """Workers behind one `ask`; a context manager that ends them."""

    def __init__(self, workers: int, limit: float = LIMIT_SECONDS) -> None:
        """Nothing is started yet.

        Args:
            workers: Most processes at a time, at least 1.
            limit: Wall seconds that one pair may take; then its process is killed.
        """
        if workers < 1 or limit <= 0:
            raise ValueError("a second checker needs at least one worker and a positive limit")
        self._limit = limit
        self._idle: list[CheckerProcess] = []
        self._all: set[CheckerProcess] = set()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(workers, "second")
        self._closed = False

    def ask(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Second]:
        """Yield the opinion on each (gold, text), in order; a text may be a whole solution."""
        waiting: deque[Future[Second]] = deque()
        for gold, text in pairs:
            waiting.append(self._threads.submit(self._one, gold, text))
            while len(waiting) >= WINDOW or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        with self._lock:
            return [child.pid for child in self._all]

    def close(self) -> None:
        """End all workers, busy ones too; pairs that still wait get no opinion."""
        with self._lock:
            self._closed = True
            children, self._idle = list(self._all), []
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.end()
        self._threads.shutdown(wait=True)
        for child in children:
            child.release()
        self._all.clear()

    def __enter__(self) -> SecondChecker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _one(self, gold: str, text: str) -> Second:
        """One pair, in a thread of this process."""
        message = [gold_answer(gold), text[-MAX_TEXT:]]
        why = ""
        for _ in range(ATTEMPTS):
            child = self._take()
            reply = child.ask(message, self._limit)
            fit = reply is not None and not reply.get("spent") and child.jobs < PAIRS_OF_A_WORKER
            self._put_back(child, fit=fit)
            if self._closed:  # the worker was ended by close(), which says nothing of the pair
                raise StepError("the second checker was closed")
            if reply is not None:
                return _second(reply)
            why = "time" if child.late else "died"
            if child.late:
                break
        return Second(Opinion.UNDECIDED, why)

    def _take(self) -> CheckerProcess:
        """An idle worker, or a new one."""
        with self._lock:
            if self._closed:
                raise StepError("the second checker was closed")
            if self._idle:
                return self._idle.pop()
            child = CheckerProcess(MODULE)
            self._all.add(child)
        if not child.ready():
            self._put_back(child, fit=False)
            raise StepError("the process of the second checker did not start")
        return child

    def _put_back(self, child: CheckerProcess, *, fit: bool) -> None:
        with self._lock:
            fit = fit and not self._closed
            if fit:
                self._idle.append(child)
            else:
                self._all.discard(child)
        if not fit:
            child.end()
            child.release()


def _second(reply: Json) -> Second:
    empty: Json = {}
    return Second(
        Opinion(reply["opinion"]),
        reply.get("why", ""),
        Seen(**reply.get("gold", empty)),
        Seen(**reply.get("answer", empty)),
    )
