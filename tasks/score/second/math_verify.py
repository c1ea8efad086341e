"""A second opinion on answers: math-verify, in processes that can be killed.

It shares no code with our checker, so where the two agree they do so for different reasons. It has
faults of its own (it takes 1/2004! for 1/2006!, it is not symmetric, some inputs hang it): an
opinion, not the truth. `restem audit` compares it with a run's verdicts (flows/audit/flow.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from tasks.processes.killable_pool import ATTEMPTS, KillablePool
from tasks.score.math.extract.answer import gold_answer
from tasks.score.second.opinion import Opinion, Second

NAME = "math-verify"
SECOND_MODULE = "tasks.score.second.worker"
# Wall seconds for one pair. Honest pairs take well under a second, also on a busy machine.
LIMIT_SECONDS = 10.0
# The libraries' caches grow with every pair: a fresh process now and then keeps memory flat.
PAIRS_OF_A_WORKER = 500
# Of long texts the end is read, where the answer is: its patterns are slow on long texts.
MAX_TEXT = 20_000
# Pairs read ahead, so that order is kept and memory is bounded.
_WINDOW = 128


class SecondChecker(KillablePool):
    """Workers behind one `ask`; a context manager that ends them."""

    def __init__(self, workers: int, limit: float = LIMIT_SECONDS) -> None:
        """Nothing is started yet.

        Args:
            workers: Most processes at a time, at least 1.
            limit: Wall seconds that one pair may take; then its process is killed.
        """
        if workers < 1 or limit <= 0:
            raise ValueError("a second checker needs at least one worker and a positive limit")
        super().__init__("the second checker", workers, SECOND_MODULE)
        self._limit = limit

    def ask(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Second]:
        """Yield the opinion on each (gold, text), in order; a text may be a whole solution."""
        waiting: deque[Future[Second]] = deque()
        for gold, text in pairs:
            waiting.append(self._threads.submit(self._one, gold, text))
            while len(waiting) >= _WINDOW or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _one(self, gold: str, text: str) -> Second:
        """One pair, in a thread of this process."""
        message = [gold_answer(gold), text[-MAX_TEXT:]]
        why = ""
        for _ in range(ATTEMPTS):
            child = self._take()
            reply = child.ask(message, self._limit)
            second = None if reply is None else Second.from_json(reply)
            spent = second is None or second.spent or child.jobs >= PAIRS_OF_A_WORKER
            self._put_back(child, fit=not spent)
            self._refuse_closed()  # close() ended the worker, which says nothing of the pair
            if second is not None:
                return second
            why = "time" if child.late else "died"
            if child.late:
                break
        return Second(Opinion.UNDECIDED, why)
