"""Seconds in which this process was awake: the clock of every limit on somebody's silence.

A machine that is suspended stops time.monotonic(); one whose processes are stopped or frozen
(SIGSTOP, a container that is paused, a virtual machine) does not, and afterwards everybody seems to
have been silent for long. So this clock is read four times a second, and where it was not read for
much longer, nobody was there to hear anything: that time does not count. Nor does it matter how
somebody sets the wall clock.

On a machine so busy that the reading comes late, limits are longer; never shorter.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable

# How often the clock is read at least, and the longest pause between two readings that counts.
TICK_SECONDS = 0.25
LONGEST_SECONDS = 2.0
# The wall clock may be slewed, and is read a moment after the other one.
JUMP_SECONDS = 5.0


class AwakeClock:
    """Such a clock; of any thread."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Start at what `monotonic` says."""
        self._monotonic, self._wall = monotonic, wall
        self._lock = threading.Lock()
        self._last, self._last_wall = monotonic(), wall()
        self._now, self._broken = self._last, -math.inf

    def now(self) -> float:
        """Seconds awake, from some moment on."""
        with self._lock:
            self._read()
            return self._now

    def since_break(self) -> float:
        """Seconds awake since the wall clock last went another way than this one.

        It does when the machine was asleep, in whatever way, and when somebody set the clock.
        Infinite if it never did.
        """
        with self._lock:
            self._read()
            return self._now - self._broken

    def _read(self) -> None:
        now, wall = self._monotonic(), self._wall()
        passed, by_wall = now - self._last, wall - self._last_wall
        self._last, self._last_wall = now, wall
        if passed > LONGEST_SECONDS:
            passed = TICK_SECONDS
        self._now += passed
        if abs(by_wall - passed) > JUMP_SECONDS:
            self._broken = self._now


_clock: AwakeClock | None = None
_start = threading.Lock()


def clock() -> AwakeClock:
    """This process's, read by a thread of its own from the first call on."""
    global _clock
    with _start:
        if _clock is None:
            _clock = AwakeClock()
            threading.Thread(target=_tick, args=(_clock,), name="awake", daemon=True).start()
        return _clock


def awake() -> float:
    """Seconds that this process was awake, from some moment on: in place of time.monotonic()."""
    return clock().now()


def silent_since(moment: float) -> float:
    """Seconds for which somebody was silent who was heard last at a moment of `awake`.

    After a sleep of the machine it is counted anew: devices and connections take time to wake up.
    """
    return min(awake() - moment, clock().since_break())


def _tick(mine: AwakeClock) -> None:
    while True:
        time.sleep(TICK_SECONDS)
        mine.now()


def _forget() -> None:
    """In a forked process, which has no such thread."""
    global _clock, _start
    _clock, _start = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
