"""Ends a process that is not done in time."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from tasks.processes.child import Child


@contextlib.contextmanager
def ended_at(child: Child, until: float) -> Iterator[None]:
    """Kill a child and all that it started, if it is not done by `until` (seconds since 1970)."""

    def kill() -> None:
        for end in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError):
                end(child.pid, signal.SIGKILL)

    timer = threading.Timer(max(0.0, until - time.time()), kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
