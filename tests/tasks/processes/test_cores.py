"""Cores that a process may use."""

from __future__ import annotations

import os
import subprocess
import sys

from tasks.paths import ROOT


def test_a_process_that_is_bound_to_one_core_has_one() -> None:
    core = min(os.sched_getaffinity(0))
    program = (
        "import os; from tasks.processes.cores import usable_cores;"
        f"os.sched_setaffinity(0, {{{core}}}); print(usable_cores())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "1\n"
