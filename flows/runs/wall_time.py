"""Seconds from the command to its end, beside what the steps of the run took themselves.

The difference is what a person waits for besides: Python and Prefect start, a server answers, the
store is looked through.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from flows.runs.journal_forms import StepLine
from sandbox.process_name import born


def since_command() -> float | None:
    """Seconds since this process was started; None where the system does not say."""
    began = born(os.getpid())
    if began is None:
        return None
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return round(now - began / os.sysconf("SC_CLK_TCK"), 3)


def steps_seconds(lines: Iterable[StepLine]) -> float:
    """What the steps of an attempt took, added up; steps side by side count each."""
    return round(sum(line.took for line in lines if not line.cached), 3)


def wall_line(wall: float, steps: float) -> str:
    """Both in a line."""
    return f"time: {wall:.1f} s from command to prompt; the steps themselves {steps:.1f} s"
