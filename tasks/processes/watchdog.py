"""A watch over a child's signs of life; one that gives none for too long is killed.

A sign is what the work itself gives: a message on the wire, or bytes. A model of 140 GB that is
loaded, and a checkpoint that is saved, take long without a word, but they move bytes all the while;
a process that is stopped, dead-locked, or spinning in a collective moves none. A thread that says
"alive" beside the work would be no sign: it goes on while the work hangs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Self

import psutil

from sandbox.awake import awake, silent_since

# Less than loading or saving moves in any limit, more than the log of an idle process.
LEAST_BYTES = 2**20
_LOOK_SECONDS = 1.0


class Watchdog:
    """A context manager: it watches as long as the block lasts."""

    def __init__(self, pid: int, limit: float, kill: Callable[[], None]) -> None:
        """Do not watch yet.

        Args:
            pid: The child; those that it started count with it.
            limit: Seconds without a sign of life.
            kill: Called once, from a thread, when they are over.
        """
        self._pid, self._limit, self._kill = pid, limit, kill
        self.bit = False
        self._heard, self._moved = awake(), dict[int, int]()
        self._asked = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def hear(self) -> None:
        """A sign of life came."""
        self._heard = awake()

    @contextlib.contextmanager
    def waited_for(self) -> Iterator[None]:
        """As long as the block lasts the child waits for this process and owes no sign."""
        self._asked = True
        try:
            yield
        finally:
            self._heard = awake()
            self._asked = False

    def __enter__(self) -> Self:
        self._heard, self._moved = awake(), moved_bytes(self._pid)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(min(_LOOK_SECONDS, self._limit / 4)):
            if self._asked or silent_since(self._heard) < self._limit:
                continue
            before, self._moved = self._moved, moved_bytes(self._pid)
            if sum(n - before.get(p, 0) for p, n in self._moved.items()) >= LEAST_BYTES:
                self._heard = awake()
                continue
            self.bit = True
            self._kill()
            return


def moved_bytes(pid: int) -> dict[int, int]:
    """Bytes that a process and those that it started have read and written, by process id."""
    found: dict[int, int] = {}
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                io = process.io_counters()
                # What is mapped into memory is read from the disk and by no call.
                found[process.pid] = io.read_chars + io.write_chars + io.read_bytes
    return found
