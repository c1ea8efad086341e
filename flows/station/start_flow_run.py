"""Starts a flow run for the station's worker: `prefect.engine`, with a log of its own.

The worker starts this in RESTEM_HOME/prefect with the flow run's id in the environment. Output goes
to a file rather than through the worker, so that a killed worker takes no run with it. The run's
own lines are in Prefect's log; here is what came before it, and what a crash of the interpreter
says.
"""

from __future__ import annotations

import os
import runpy
import sys

from flows.server.address import folder
from flows.server.cancel import watch

_BYTES = 1024 * 1024


def main() -> None:
    """Become the flow run that PREFECT__FLOW_RUN_ID names."""
    log = folder() / "runs.log"
    if log.exists() and log.stat().st_size > _BYTES:
        log.replace(log.with_suffix(".1.log"))
    with log.open("ab", buffering=0) as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    sys.argv = ["prefect.engine"]
    with watch(os.environ.get("PREFECT__FLOW_RUN_ID")):
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
