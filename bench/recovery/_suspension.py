"""A tree of processes that is stopped for a while, as a machine that sleeps stops them all.

What is simulated, and what is not: SIGSTOP stops every process while CLOCK_MONOTONIC goes on, as it
does for a frozen container and some virtual machines. A laptop that sleeps stops that clock too,
which is the easier case: no limit is measured by the wall clock.
"""

from __future__ import annotations

import contextlib
import signal
import time

import psutil


def tree(*roots: int) -> list[psutil.Process]:
    """The processes and all that descend from them, parents first."""
    found: dict[int, psutil.Process] = {}
    for root in roots:
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(root)
            for process in (top, *top.children(recursive=True)):
                found.setdefault(process.pid, process)
    return list(found.values())


def suspend(*roots: int, seconds: float) -> None:
    """Stop them all, and let them go on after a while."""
    stopped: dict[int, psutil.Process] = {}
    while fresh := [one for one in tree(*roots) if one.pid not in stopped]:
        for process in fresh:  # again and again: one may have started another meanwhile
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGSTOP)
            stopped[process.pid] = process
    try:
        time.sleep(seconds)
    finally:
        for process in stopped.values():  # parents first: they look at their children at once
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
