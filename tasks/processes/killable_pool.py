"""Pools of processes that can be killed: how one is taken and put back, and how all are ended.

A process is started when one is needed and none is idle. One that is dead or worn is put away.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from tasks.errors import StepError
from tasks.processes.killable import KillableProcess

# A process that dies without being over its limit (killed from outside, out of memory) says nothing
# of what it was asked: that is tried once more.
ATTEMPTS = 2


class KillablePool:
    """Processes and the threads that ask them; a context manager that ends both."""

    def __init__(self, name: str, workers: int, module: str, *arguments: str) -> None:
        """Nothing is started yet.

        Args:
            name: For messages.
            workers: Threads, at least 1.
            module: What a process runs (killable.py).
            arguments: What it is given.
        """
        self._name, self._command = name, (module, *arguments)
        self._idle: list[KillableProcess] = []
        self._all: set[KillableProcess] = set()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(workers, name)
        self._closed = False

    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        with self._lock:
            return [worker.pid for worker in self._all]

    def close(self) -> None:
        """End all workers, busy ones too; what still waits gets no answer."""
        with self._lock:
            self._closed = True
            workers, self._idle = list(self._all), []
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.end()
        self._threads.shutdown(wait=True)
        for worker in workers:
            worker.release()
        self._all.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_closed(self) -> None:
        """Raise the StepError of a pool that was closed: no answer then says anything."""
        if self._closed:
            raise StepError(f"{self._name} was closed")

    def _take(self) -> KillableProcess:
        """The worker that was busy last, a spare, or a new one; dead ones are put away."""
        while True:
            with self._lock:
                self._refuse_closed()
                new = not self._idle
                worker = self._start() if new else self._idle.pop()
            if worker.ready():
                return worker
            self._put_back(worker, fit=False)
            if new:
                raise StepError(f"{self._name}: the process did not start")

    def _start(self) -> KillableProcess:
        worker = KillableProcess(*self._command)
        self._all.add(worker)
        return worker

    def _put_back(self, worker: KillableProcess, *, fit: bool) -> None:
        with self._lock:
            fit = fit and not self._closed
            if fit:
                self._idle.append(worker)
            else:
                self._all.discard(worker)
        if not fit:
            worker.end()
            worker.release()
