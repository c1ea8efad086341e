"""Grades many pairs: cheap rules here, symbolic work in processes that can be killed.

No signal, alarm or fork of this process is used, so it works from any thread. A worker process is
started when the first pair needs it; most data sets never start one. Workers end at end of file
when this process ends, however it ends (worker.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tasks.filter.answers import Grade, decide
from tasks.filter.extract import extract_answer
from tasks.rows import Status

ROOT = Path(__file__).resolve().parents[2]
# A worker imports sympy first: under a second, more on a busy machine.
START_SECONDS = 120.0
# The CPU limit is the worker's own; wall time is only for one that sleeps or is starved.
WALL_FACTOR = 4.0
# sympy's caches grow with every job: a fresh process now and then keeps memory flat.
JOBS_OF_A_WORKER = 2000
# Pairs read ahead while a symbolic job runs, so that order is kept and memory is bounded.
WINDOW = 512
_CHUNK = 1 << 16

Pair = tuple[str, str]
Timed = tuple[Grade, float]


class GradePool:
    """Checker processes behind one `grade`; a context manager that ends them."""

    def __init__(self, workers: int, time_limit: float) -> None:
        """Nothing is started yet.

        Args:
            workers: Most checker processes at a time, at least 1.
            time_limit: Seconds of CPU that one pair may use.
        """
        if workers < 1 or time_limit <= 0:
            raise ValueError("a pool needs at least one worker and a positive time limit")
        self._workers = workers
        self._limit = time_limit
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    def grade(self, pairs: Iterable[Pair]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took, in order; pairs are (gold, prediction).

        A pair that is out of time or memory, or that the checker cannot do, has the status
        `checker_error`.
        """
        waiting: deque[Timed | Future[Timed]] = deque()
        for gold, prediction in pairs:
            start = time.perf_counter()
            grade = decide(gold, prediction)
            if grade is None:
                waiting.append(self._executor().submit(self._symbolic, gold, prediction))
            elif waiting:
                waiting.append((grade, time.perf_counter() - start))
            else:
                yield grade, time.perf_counter() - start
            while waiting and (len(waiting) >= WINDOW or _ready(waiting[0])):
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())

    def close(self) -> None:
        """End all workers; pairs that are still waiting are graded first."""
        self._closed = True
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        while self._idle:
            self._idle.pop().kill()

    def __enter__(self) -> GradePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pids(self) -> list[int]:
        """Process ids of the workers that have nothing to do at the moment."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise RuntimeError("the grading pool is closed")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._workers, "grade")
            return self._threads

    def _symbolic(self, gold: str, prediction: str) -> Timed:
        """Have one pair decided by a worker; runs in a thread of this process."""
        start = time.perf_counter()
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            worker = _Worker(self._limit)
            start = time.perf_counter()
        reply = worker.ask(gold, prediction)
        if reply is None or worker.jobs >= JOBS_OF_A_WORKER:
            worker.kill()
        else:
            with self._lock:
                self._idle.append(worker)
        seconds = time.perf_counter() - start
        if reply is None or "grade" not in reply:
            return Grade(0.0, Status.CHECKER_ERROR, extract_answer(prediction)), seconds
        reward, status, extracted = reply["grade"]
        return Grade(reward, Status(status), extracted), seconds


class _Worker:
    """One checker process and its two pipes."""

    def __init__(self, limit: float) -> None:
        self.jobs = 0
        self._limit = limit
        # A session of its own keeps the terminal's Ctrl-C away: the parent decides, then closes.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tasks.filter.worker", str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._buffer = b""
        if self._read(START_SECONDS) is None:
            self.kill()
            raise RuntimeError("the checker process did not start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, gold: str, prediction: str) -> dict | None:
        """The worker's reply, or None where it died or was over the limit."""
        self.jobs += 1
        try:
            self._requests.write(json.dumps([gold, prediction]).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            return None
        return self._read(self._limit * WALL_FACTOR + 1.0)

    def kill(self) -> None:
        """End the process at once and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for end in (self._requests, self._replies):
            with contextlib.suppress(BrokenPipeError):
                end.close()

    def _read(self, seconds: float) -> dict | None:
        deadline = time.monotonic() + seconds
        poll = select.poll()  # select() cannot take descriptors over 1023
        poll.register(self._replies.fileno(), select.POLLIN | select.POLLHUP)
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return None
            data = os.read(self._replies.fileno(), _CHUNK)
            if not data:
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)


def _ready(item: Timed | Future[Timed]) -> bool:
    return not isinstance(item, Future) or item.done()


def _result(item: Timed | Future[Timed]) -> Timed:
    return item.result() if isinstance(item, Future) else item
