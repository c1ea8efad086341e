"""Process 1's eye on a program: what it prints, what it uses, when it ends."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import NamedTuple

from sandbox.inside.frames import ENDED, OUTPUT_LIMIT, STOPPED, TIME_LIMIT, Head, stopped
from sandbox.inside.limits import (
    FROZEN_SECONDS,
    LOOK_MS,
    QUICK_MS,
    STARVED_FACTOR,
    STDERR_KEPT,
    WALL_FACTOR,
)
from sandbox.inside.moving import Stream


class WatchedProcess(NamedTuple):
    """A program's process and our ends of its pipes."""

    pid: int
    go: int
    streams: list[Stream]  # output, errors, result


def watch_program(child: WatchedProcess, head: Head, began: float) -> int:
    """Wait until a program ends, overruns a limit or is not wanted any more."""
    handle = os.pidfd_open(child.pid)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    reason = ENDED if poll.poll(QUICK_MS) else watch_longer(child, head, began, handle, poll)
    os.close(handle)
    return reason


def watch_longer(
    child: WatchedProcess, head: Head, began: float, handle: int, poll: select.poll
) -> int:
    """Watch a program that does not end at once: take what it prints, look at its limits."""
    output, errors, result = child.streams
    caps = ((output, head.output), (errors, STDERR_KEPT), (result, head.output))
    streams = {stream.fd: (stream, cap) for stream, cap in caps}
    for fd in (0, *streams):
        poll.register(fd, select.POLLIN)
    looked = time.monotonic()
    while True:
        for fd, _ in poll.poll(min(LOOK_MS, wait_for(child.pid, head, began))):
            if fd == handle:
                return ENDED
            if fd == 0:
                if stopped(head.number):
                    return STOPPED
            elif not streams[fd][0].drain(streams[fd][1]):
                poll.unregister(fd)
        if max(output.size, result.size) > head.output:
            return OUTPUT_LIMIT
        began += frozen_since(looked)
        looked = time.monotonic()
        if overrun(child.pid, head, began):
            return TIME_LIMIT


def frozen_since(looked: float) -> float:
    """Seconds since the last look in which nothing here ran; 0 while looks come as they should."""
    passed = time.monotonic() - looked
    return passed if passed > FROZEN_SECONDS else 0.0


def wait_for(pid: int, head: Head, began: float) -> float:
    """Milliseconds for which no limit can be overrun."""
    left = head.cpu - program_cpu(pid)
    return max(5.0, 1000.0 * min(left, head.cpu * WALL_FACTOR - (time.monotonic() - began)))


def overrun(pid: int, head: Head, began: float) -> bool:
    """Whether a running program has overrun its time."""
    if program_cpu(pid) > head.cpu:
        return True
    wall = time.monotonic() - began
    if wall <= head.cpu * WALL_FACTOR:
        return False
    return wall > head.cpu * STARVED_FACTOR or wall - starved(pid) > head.cpu * WALL_FACTOR


def program_cpu(pid: int) -> float:
    """Processor time of a process with all its threads, in seconds."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    return 0.0


def starved(pid: int) -> float:
    """Seconds that a process was ready to run while others had the cores."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[1]) / 1e9
    return 0.0


def reap() -> None:
    """Wait for all children; orphans of programs are among them."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
