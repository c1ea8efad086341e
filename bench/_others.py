"""What processes that are no part of a bench took of the processors meanwhile.

A ratio of two things measured in turn says little when somebody else works during one of them, so a
bench prints this beside its figures. Processes that live for less than a second are not seen.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import psutil

PERIOD_SECONDS = 1.0


class Others:
    """Counts from the start of its block to the end."""

    def __init__(self, *homes: Path) -> None:
        """Nothing is counted yet.

        Args:
            homes: RESTEM_HOME of processes of the bench that have left its tree.
        """
        self._marks = tuple(f"RESTEM_HOME={home}".encode() for home in homes)
        self._ours: dict[tuple[int, float], bool] = {}
        self._last: dict[tuple[int, float], float] = {}
        self._total, self._began, self._seconds = 0.0, 0.0, 1.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Others:
        self._look()
        self._total, self._began = 0.0, time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self._seconds = time.perf_counter() - self._began

    def __str__(self) -> str:
        """Processor seconds of the others for each second, to be printed."""
        return f"others {self._total / self._seconds:.2f} cores"

    def _watch(self) -> None:
        while not self._over.wait(PERIOD_SECONDS):
            self._look()

    def _look(self) -> None:
        mine = {os.getpid(), *(one.pid for one in psutil.Process().children(recursive=True))}
        now: dict[tuple[int, float], float] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                key = process.pid, process.create_time()
                if key not in self._ours or process.pid in mine:
                    self._ours[key] = process.pid in mine or self._marked(process.pid)
                if not self._ours[key]:
                    times = process.cpu_times()
                    now[key] = times.user + times.system
        self._total += sum(spent - self._last.get(key, 0.0) for key, spent in now.items())
        self._last = now

    def _marked(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return bool(self._marks) and any(word.startswith(self._marks) for word in words)
        return False
