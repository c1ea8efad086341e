"""The process in which one tracker's library works (see trackers.py)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from flows.rest_em.tracking.record import TrackedRun
from tasks.processes.wire import Message, Wire, answer_requests, wire_from_argv


def tell(request: Message, wire: Wire) -> Message:
    """Tell the library; a request is module, run (a `TrackedRun`) and home."""
    write = importlib.import_module(request["module"]).write
    run = TrackedRun.from_json(request["run"])
    return {"where": write(run, Path(request["home"]))}


if __name__ == "__main__":
    answer_requests(wire_from_argv(sys.argv), tell)
