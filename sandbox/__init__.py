"""Runs untrusted programs in Docker containers; imports nothing of the rest of this project.

What is covered (attacks.json tries each; `restem sandbox check` runs them on the engine at hand):
- no network, a file system that cannot be written but for a small scratch folder, no rights beyond
  those of an own uid, a list of system calls (seccomp.json);
- limits on processor time, wall time, memory, output, file size, and processes;
- a program sees nothing of another job, nor of the expected outputs of its own; what it leaves
  (processes, files) is gone before the next one starts;
- a container that fails is replaced and its job runs again; those of killed owners are removed.

What is not covered:
- a hole in the kernel or in the Docker engine: another runtime (resources.sandbox_runtime = runsc)
  puts a second kernel between;
- side channels: programs share caches, cores and clocks with their neighbours;
- other languages than Python and C++, and programs that need a network or packages that no image
  has (images.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sandbox.verdict import Job, Verdict

# Name of the image. The number rises with every change that could change a verdict.
TAG = "restem-sandbox:1"


class Sandbox(Protocol):
    """Where programs run; `SandboxPool` (sandbox/pool.py) is the one there is."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Verdict]:
        """Yield the verdicts in the order of the jobs, which are taken as they are needed.

        Raises:
            NoEngine: nothing can be run any more; that is no verdict on a program.
        """
        ...

    def close(self) -> None:
        """End everything that still runs; it is not judged."""
        ...
