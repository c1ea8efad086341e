"""Cancel, seen by the run itself.

Prefect's worker cancels the runs that it started. A run whose worker was killed, a run of the
command line, and a run that missed the message have nobody who does it. So each run asks the server
for its own state and, when that is Cancelling, interrupts itself as SIGTERM would: `finally` and
`with` blocks end engine, trainer and containers, and the run is marked Cancelled.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flows.ops.http import Api, ApiError

POLL_SECONDS = 2.0
# A worker that is alive does it faster and its own way; let it.
_WORKER_SECONDS = 1.0


@contextmanager
def watch(flow_run_id: str | None) -> Iterator[None]:
    """Interrupt the main thread when this flow run is being cancelled, as long as the block lasts.

    Args:
        flow_run_id: Of the run; None (no server) watches nothing.
    """
    address = os.environ.get("PREFECT_API_URL")
    if not flow_run_id or not address:
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(Api(address), str(flow_run_id), done), daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        done.set()


def _watch(api: Api, flow_run_id: str, done: threading.Event) -> None:
    while not done.wait(POLL_SECONDS):
        try:
            state = api.get(f"/flow_runs/{flow_run_id}", POLL_SECONDS)["state"]["type"]
        except (ApiError, KeyError, TypeError):
            continue  # the server is away; the run goes on
        if state in ("CANCELLING", "CANCELLED") and not done.wait(_WORKER_SECONDS):
            interrupt()
            return


def interrupt() -> None:
    """End this process's flow run as cancelled: what a worker's cancel does, without a worker.

    Prefect's engine takes a SIGTERM for a crash unless its control listener holds the intent to
    cancel; and it leaves the state to a worker unless told that it owns it itself.
    """
    from prefect._internal import control_listener  # no public way (3.8.8)

    os.environ["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "true"
    control_listener._set_intent("cancel")
    os.kill(os.getpid(), signal.SIGTERM)
