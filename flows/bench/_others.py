"""What processes that are no part of a bench took of the processors meanwhile.

A ratio of two things measured in turn says little when somebody else works during one of them. A
bench prints this beside its figures; where rounds are short it takes a disturbed one again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

# Cores; daemons and the kernel's own threads take less.
QUIET = 0.1
# Rounds that are taken again, for each that is wanted: on a machine that is never quiet a bench
# ends all the same, and its figures say how much the others took.
AGAIN = 1

Found = TypeVar("Found")


class Others:
    """Counts from its making on; a process of the bench has this one among its ancestors or homes.

    Short-lived processes count once their parent has waited for them, as the kernel adds them up.
    """

    def __init__(self, *homes: Path) -> None:
        """Begin.

        Args:
            homes: RESTEM_HOME of processes of the bench that have left its tree.
        """
        self._marks = tuple(f"RESTEM_HOME={home}".encode() for home in homes)
        self._known: dict[tuple[int, float], bool] = {}
        self._began, self._before = time.perf_counter(), self._seconds()

    @property
    def cores(self) -> float:
        """Processor seconds of the others for each second since."""
        return (self._seconds() - self._before) / (time.perf_counter() - self._began)

    def _seconds(self) -> float:
        mine = {os.getpid(), *(one.pid for one in psutil.Process().children(recursive=True))}
        total = 0.0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                key = process.pid, process.create_time()
                if process.pid in mine or self._known.get(key):
                    self._known[key] = True
                    continue
                if key not in self._known:
                    self._known[key] = self._marked(process.pid)
                if not self._known[key]:
                    times = process.cpu_times()
                    total += times.user + times.system
                    if process.pid != 1:  # it waits for orphans of everybody
                        total += times.children_user + times.children_system
        return total

    def _marked(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return any(word.startswith(self._marks) for word in words) if self._marks else False
        return False


class Rounds:
    """Measures rounds, and a disturbed one again."""

    def __init__(self, rounds: int, *homes: Path) -> None:
        """Nothing is measured yet.

        Args:
            rounds: How many are wanted.
            homes: See `Others`.
        """
        self._left, self._homes = AGAIN * rounds, homes

    def quiet(self, measure: Callable[[], Found]) -> tuple[Found, str]:
        """What a round gave, and words on the others; `measure` is called again where disturbed."""
        while True:
            others = Others(*self._homes)
            found = measure()
            cores = others.cores
            words = f"others {cores:.2f} cores"
            if cores <= QUIET or self._left <= 0:
                return found, words
            self._left -= 1
            print(f"disturbed ({words}), once more", flush=True)
