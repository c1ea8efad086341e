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
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tasks.errors import StepError
from tasks.filter.answers import Grade, decide, refused
from tasks.filter.extract import extract_answer
from tasks.rows import Status

ROOT = Path(__file__).resolve().parents[2]
# A worker imports sympy first: under a second, more on a busy machine.
START_SECONDS = 120.0
# The CPU limit is the worker's own; wall time is only for one that sleeps or is starved.
WALL_FACTOR = 4.0
# A worker that dies without being over its limit (killed from outside, out of memory) is no
# verdict on the pair: it is tried once more.
ATTEMPTS = 2
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
        self._all: set[_Worker] = set()
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
        """End all workers, busy ones too; pairs that still wait are not graded."""
        with self._lock:
            self._closed = True
            workers, self._idle = list(self._all), []
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.end()
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        for worker in workers:
            worker.release()
        self._all.clear()

    def __enter__(self) -> GradePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        with self._lock:
            return [worker.pid for worker in self._all]

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise StepError("the grading pool is closed")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._workers, "grade")
            return self._threads

    def _symbolic(self, gold: str, prediction: str) -> Timed:
        """Have one pair decided by a worker; runs in a thread of this process."""
        reply, seconds = None, 0.0
        for _ in range(ATTEMPTS):
            worker = self._take()
            start = time.perf_counter()
            reply = worker.ask(gold, prediction)
            seconds = time.perf_counter() - start
            self._put_back(worker, fit=reply is not None and worker.jobs < JOBS_OF_A_WORKER)
            if self._closed:  # the worker was ended by close(), which says nothing of the pair
                raise StepError("the grading pool was closed")
            if reply is not None or worker.over_limit():
                break
        if reply is None or "grade" not in reply:
            return refused(extract_answer(prediction)), seconds
        reward, status, extracted = reply["grade"]
        return Grade(reward, Status(status), extracted), seconds

    def _take(self) -> _Worker:
        """An idle worker, or a new one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._closed:
                raise StepError("the grading pool was closed")
            worker = _Worker(self._limit)
            self._all.add(worker)
        if not worker.ready():
            self._put_back(worker, fit=False)
            raise StepError("the checker process did not start")
        return worker

    def _put_back(self, worker: _Worker, *, fit: bool) -> None:
        with self._lock:
            fit = fit and not self._closed
            if fit:
                self._idle.append(worker)
            else:
                self._all.discard(worker)
        if not fit:
            worker.end()
            worker.release()


class _Worker:
    """One checker process and its two pipes."""

    def __init__(self, limit: float) -> None:
        self.jobs = 0
        self._limit = limit
        self._late = self._gone = False
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

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> bool:
        """Wait until the process has imported what it needs."""
        return self._read(START_SECONDS) is not None

    def ask(self, gold: str, prediction: str) -> dict | None:
        """The worker's reply, or None where it died or was over the limit."""
        self.jobs += 1
        try:
            self._requests.write(json.dumps([gold, prediction]).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            return None
        return self._read(self._limit * WALL_FACTOR + 1.0)

    def over_limit(self) -> bool:
        """Whether a worker that gave no reply used too much time, and did not die otherwise."""
        return self._late or self._process.returncode == -signal.SIGPROF

    def end(self) -> None:
        """End the process and wait until it is gone; from any thread."""
        if self._gone:  # its pipe is closed, so it is ending by itself: keep its exit code
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1.0)
        self._process.kill()
        self._process.wait()

    def release(self) -> None:
        """Close the pipes; only by the thread that uses them."""
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
                self._late = True
                return None
            data = os.read(self._replies.fileno(), _CHUNK)
            if not data:
                self._gone = True
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)


def _ready(item: Timed | Future[Timed]) -> bool:
    return not isinstance(item, Future) or item.done()


def _result(item: Timed | Future[Timed]) -> Timed:
    return item.result() if isinstance(item, Future) else item
