"""What a step costs: processor time, seconds in the engine, seconds in sandboxes.

A step counts what it uses itself, so two steps that run at the same time do not count each other:
the processor time of its own thread, and of each process that works for it while it is asked (the
engine's and the trainer's children, checker workers), read from /proc before and after. Costs are
facts about a machine: they stand in a manifest's stats and in no digest.

Not counted: threads that a library starts in this process, and programs in a sandbox, whose
containers belong to the Docker engine; those have `sandbox_seconds`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import psutil

CPU, ENGINE, SANDBOX = "cpu_seconds", "engine_seconds", "sandbox_seconds"
# What a manifest says of a step's cost, and in this order in tables.
COST_NAMES = ("seconds", CPU, ENGINE, SANDBOX, "tokens")
# The same of a step that asks a hosted model; in tables of runs that have one.
HOSTED_COSTS = ("input_tokens", "money")
ALL_COSTS = (*COST_NAMES, *HOSTED_COSTS)
_TICKS = os.sysconf("SC_CLK_TCK")
# Places of utime, stime, cutime, cstime in /proc/PID/stat, counted behind the name in parentheses.
_TIMES = slice(11, 15)


class Meter:
    """Adds up what one step spends, from any of its threads."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._lock = threading.Lock()
        self._spent: dict[str, float] = {}

    def spend(self, name: str, seconds: float) -> None:
        """Count seconds of a kind."""
        with self._lock:
            self._spent[name] = self._spent.get(name, 0.0) + max(0.0, seconds)

    def costs(self) -> dict[str, float]:
        """What was spent, by name: CPU, ENGINE and SANDBOX, where there was any."""
        with self._lock:
            return {name: round(seconds, 3) for name, seconds in self._spent.items()}


_METER: ContextVar[Meter | None] = ContextVar("meter", default=None)


def meter() -> Meter | None:
    """The meter of the step that this thread works for; to be handed to threads of a pool."""
    return _METER.get()


def spend(name: str, seconds: float) -> None:
    """Count seconds of a kind for the step at work, if there is one."""
    if (now := _METER.get()) is not None:
        now.spend(name, seconds)


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    """Measure a step, with the processor time of this thread."""
    now = Meter()
    token = _METER.set(now)
    started = time.thread_time()
    try:
        yield now
    finally:
        now.spend(CPU, time.thread_time() - started)
        _METER.reset(token)


@contextlib.contextmanager
def helping() -> Iterator[None]:
    """Count the processor time of a thread that helps the step's own one."""
    now, started = _METER.get(), time.thread_time()
    try:
        yield
    finally:
        if now is not None and threading.get_ident() != now.thread:
            now.spend(CPU, time.thread_time() - started)


def cpu_of(pid: int) -> float:
    """Processor seconds that a process, its children and those it has awaited used up to now.

    0.0 when it is gone.
    """
    pids = [pid]
    with contextlib.suppress(psutil.Error):
        pids += [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return sum(map(_cpu_of_one, pids))


def _cpu_of_one(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[_TIMES])) / _TICKS
    except (OSError, ValueError, IndexError):
        return 0.0


class CpuWatch:
    """Counts the processor time of one process for whichever step asks it."""

    def __init__(self, pid: int, *, family: bool = True) -> None:
        """Begin at the start of the process, so that its start-up counts for who asks first.

        Args:
            family: Whether it may have children; looking for them takes milliseconds.
        """
        self._pid, self._seen = pid, 0.0
        self._lock = threading.Lock()
        self._cpu = cpu_of if family else _cpu_of_one

    def read(self, into: Meter | None) -> None:
        """Count what it used since the last reading; from any thread."""
        with self._lock:
            now = self._cpu(self._pid)
            if into is not None and now > self._seen:
                into.spend(CPU, now - self._seen)
            self._seen = max(self._seen, now)
