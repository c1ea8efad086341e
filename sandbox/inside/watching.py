"""Process 1's eye on a program: what it prints, what it uses, when it ends."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Sequence
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
    left = head.cpu - program_cpu(pid) - children_cpu(pid)
    return max(5.0, 1000.0 * min(left, head.cpu * WALL_FACTOR - (time.monotonic() - began)))


def overrun(pid: int, head: Head, began: float) -> bool:
    """Whether a running program has overrun its time."""
    if program_cpu(pid) + children_cpu(pid) > head.cpu:
        return True
    wall = time.monotonic() - began
    if wall <= head.cpu * WALL_FACTOR:
        return False
    return wall > head.cpu * STARVED_FACTOR or wall - starved(programs()) > head.cpu * WALL_FACTOR


def program_cpu(pid: int) -> float:
    """Processor time of a process with all its threads, in seconds."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    return 0.0


def starved(pids: Sequence[int]) -> float:
    """Seconds that the threads of processes were ready to run while others had the cores."""
    waited = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                    waited += int(file.read().split()[1]) / 1e9
    return waited


def children_cpu(pid: int) -> float:
    """Processor time of the processes that a program has started, those that ended included.

    In ticks of the kernel's clock, a hundredth of a second each.
    """
    ticks = 0
    for one in programs():
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{one}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
            ticks += sum(map(int, fields[13:15] if one == pid else fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def programs() -> list[int]:
    """All processes in the container but ours: a program and those that it has started."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def reap() -> None:
    """Wait for all children; orphans of programs are among them."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
