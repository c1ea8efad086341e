"""Cores that a process may use."""

from __future__ import annotations

import os
import subprocess
import sys

from tasks.paths import ROOT

PROGRAM = "from tasks.processes.cores import usable_cores; print(usable_cores())"


def test_a_process_that_is_bound_to_one_core_has_one() -> None:
    core = min(os.sched_getaffinity(0))
    bound = f"import os; os.sched_setaffinity(0, {{{core}}}); {PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-c", bound], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "1\n"
