"""What the kernel says of the container as a whole: nothing that has ended is missing in it."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from sandbox.inside.frames import ENDED, MEMORY_LIMIT, TIME_LIMIT, Head
from sandbox.inside.program import mapped

_GROUPS = Path("/sys/fs/cgroup")
# Processor time of all that ran here: a number of nanoseconds, or a line of microseconds.
_CPU = (_GROUPS / "cpuacct/cpuacct.usage", _GROUPS / "cpu.stat")
# Processes that were killed for want of memory.
_MEMORY = (_GROUPS / "memory/memory.oom_control", _GROUPS / "memory.events")
_opened: dict[tuple[Path, Path], int] = {}


def container_cpu() -> float | None:
    """Seconds of processor time of all that has run in this container; None if it is not told."""
    words = _read(_CPU)
    if len(words) == 1:
        return int(words[0]) / 1e9
    return int(words[words.index(b"usage_usec") + 1]) / 1e6 if b"usage_usec" in words else None


def memory_kills() -> int | None:
    """Processes that the kernel has killed here for want of memory; None if it is not told."""
    words = _read(_MEMORY)
    return int(words[words.index(b"oom_kill") + 1]) if b"oom_kill" in words else None


def ended(head: Head, reason: int, kills: int | None, status: int, most: int) -> int:
    """How a program ended that was ended by itself or for its time: or for its memory.

    Args:
        reason: ENDED, or what it had overrun while it was watched.
        kills: `memory_kills` before it.
        status: Of wait(2).
        most: Kilobytes that it, or a child that it waited for, had in memory at once.
    """
    if reason not in (ENDED, TIME_LIMIT):
        return reason
    # Address space for the stacks of threads is no memory (program.py), so it may have been more.
    if most * 1024 > head.memory + mapped[0]:
        return MEMORY_LIMIT
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    # Who kills himself is no case of memory; where the kernel does not tell, it did the killing.
    if reason == ENDED and killed and (kills is None or memory_kills() != kills):
        return MEMORY_LIMIT
    return reason


def _read(places: tuple[Path, Path]) -> list[bytes]:
    """The words of the first of these files that there is; it is opened once."""
    if places not in _opened:
        _opened[places] = -1
        for place in places:
            with contextlib.suppress(OSError):
                _opened[places] = os.open(place, os.O_RDONLY)
                break
    fd = _opened[places]
    with contextlib.suppress(OSError):
        return os.pread(fd, 1 << 12, 0).split() if fd >= 0 else []
    return []
