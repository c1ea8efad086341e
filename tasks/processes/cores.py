"""How many cores there are to use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has.

    A cluster's scheduler, `taskset` and a container with a set of cores bind a process to some of
    them. As many threads as the machine has cores would then wait for each other.
    """
    return len(os.sched_getaffinity(0))
