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
    SOON_SECONDS,
    STARVED_FACTOR,
    STDERR_KEPT,
    WALL_FACTOR,
)
from sandbox.inside.meters import container_cpu
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
    use = Use(child.pid, began)
    while True:
        for fd, _ in poll.poll(use.wait_for(head)):
            if fd == handle:
                return ENDED
            if fd == 0:
                if stopped(head.number):
                    return STOPPED
            elif not streams[fd][0].drain(streams[fd][1]):
                poll.unregister(fd)
        if max(output.size, result.size) > head.output:
            return OUTPUT_LIMIT
        use.look()
        if use.overrun(head):
            return TIME_LIMIT


class Use:
    """What a program has used of its time, with all threads and processes that it has started.

    Attributes:
        spent: Seconds of processor time.
        began: When it began, later by the pauses in which the container was frozen.
        waited: Seconds in which something of it was ready to run while others had the cores.
    """

    def __init__(self, pid: int, began: float, check: int = 0) -> None:
        """Watch a program.

        Args:
            check: The process beside it whose time is not the program's; 0: none.
        """
        self._pid, self._check, self.began = pid, check, began
        self._of_all, self._own = container_cpu(), time.process_time()
        self._looked, self._waits = time.monotonic(), dict[str, int]()
        self.spent = self.waited = 0.0

    def look(self) -> float:
        """See what was used since the last look; seconds that nothing here ran since then."""
        now = time.monotonic()
        passed = now - self._looked
        if passed < SOON_SECONDS:
            return 0.0
        self._looked = now
        before, self.spent = self.spent, max(self.spent, self._spent())
        known, active = self._waits_of_tasks()
        if passed > FROZEN_SECONDS:
            self.began += passed
            return passed
        # What has ended waited too: while anything is ready, what did not run has waited.
        missing = passed - (self.spent - before) if active else 0.0
        self.waited += min(passed, max(known, missing))
        return 0.0

    def wait_for(self, head: Head) -> float:
        """Milliseconds until the next look: no limit can be overrun in much less."""
        wall = time.monotonic() - self.began - self.waited
        left = min(head.cpu - self.spent, head.cpu * WALL_FACTOR - wall)
        return min(LOOK_MS, max(5.0, 1000.0 * left))

    def overrun(self, head: Head) -> bool:
        """Whether the limit of time is overrun."""
        wall = time.monotonic() - self.began
        asleep = wall - self.waited
        return (
            self.spent > head.cpu
            or wall > head.cpu * STARVED_FACTOR
            or asleep > head.cpu * WALL_FACTOR
        )

    def _spent(self) -> float:
        spent = program_cpu(self._pid) + children_cpu(self._pid, self._check)
        if self._of_all is not None and (now := container_cpu()) is not None:
            own = time.process_time() - self._own
            check = program_cpu(self._check) if self._check else 0.0
            # What no parent waited for is in this figure alone.
            spent = max(spent, now - self._of_all - own - check)
        return spent

    def _waits_of_tasks(self) -> tuple[float, bool]:
        """Seconds that all tasks waited since the last look; whether one is ready to run."""
        waits: dict[str, int] = {}
        active = False
        for pid in programs():  # the check among them: while it works or waits, none is asleep
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    with contextlib.suppress(OSError, IndexError, ValueError):
                        folder = f"/proc/{pid}/task/{task}"
                        with open(f"{folder}/schedstat") as file:
                            waits[task] = int(file.read().split()[1])
                        with open(f"{folder}/stat") as file:
                            active |= file.read().rpartition(")")[2].split()[0] in "RD"
        known = sum(waits[task] - self._waits.get(task, 0) for task in waits)
        self._waits = waits
        return max(0, known) / 1e9, active


def program_cpu(pid: int) -> float:
    """Processor time of a process with all its threads, in seconds."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    return 0.0


def children_cpu(pid: int, check: int = 0) -> float:
    """Processor time of the processes that a program has started, those that ended included.

    In ticks of the kernel's clock, a hundredth of a second each.
    """
    ticks = 0
    for one in programs(check):
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{one}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
            ticks += sum(map(int, fields[13:15] if one == pid else fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def programs(check: int = 0) -> list[int]:
    """All processes in the container but ours: a program and those that it has started."""
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in found if pid not in (1, check)]


def reap() -> None:
    """Wait for all children; orphans of programs are among them."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
