"""Cancel, seen by the run itself.

Prefect's worker cancels the runs that it started. A run whose worker was killed, a run of the
command line, and a run that missed the message have nobody who does it. So each run asks the server
for its own state and, when that is Cancelling, interrupts itself as SIGTERM would: `finally` and
`with` blocks end engine, trainer and containers, and the run is marked Cancelled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flows.server.api import Api, ApiError

POLL_SECONDS = 2.0
# A worker that is alive does it faster and its own way; let it.
_WORKER_SECONDS = 1.0
_SUPERVISED = "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"

_watched: set[str] = set()


@contextmanager
def watch(flow_run_id: str | None) -> Iterator[None]:
    """Interrupt the main thread when this flow run is being cancelled, as long as the block lasts.

    Args:
        flow_run_id: Of the run; None (no server) watches nothing, and nor does a second call for
            a run that is watched already (flows/station/start_flow_run.py does, before the flow is
            loaded).
    """
    address = os.environ.get("PREFECT_API_URL")
    name = str(flow_run_id or "")
    if not name or not address or name in _watched:
        yield
        return
    watcher = _Watcher(Api(address), name)
    _watched.add(name)
    watcher.thread.start()
    try:
        yield
    finally:
        watcher.end()
        _watched.discard(name)


class _Watcher:
    """Watches one flow run's state from a thread of its own."""

    def __init__(self, api: Api, flow_run_id: str) -> None:
        self._api, self._flow_run = api, flow_run_id
        self._done = threading.Event()
        self._interrupted = False
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def end(self) -> None:
        """Stop; and mark the run Cancelled if it was interrupted and the engine will not do it."""
        self._done.set()
        # A process that a worker or `serve` started leaves its state to them.
        supervised = os.environ.get(_SUPERVISED) == "false"
        if self._interrupted and supervised:
            with contextlib.suppress(ApiError):  # the reaper will find it
                self._api.set_state(self._flow_run, "Cancelled", "Cancelled.")

    def _watch(self) -> None:
        while not self._done.wait(POLL_SECONDS):
            try:
                kind = self._api.flow_run(self._flow_run, POLL_SECONDS).kind
            except ApiError:
                continue  # the server is away; the run goes on
            if kind in ("CANCELLING", "CANCELLED") and not self._done.wait(_WORKER_SECONDS):
                self._interrupted = True
                interrupt()
                return


def interrupt() -> None:
    """End this process's flow run as cancelled: what a worker's cancel does, without a worker.

    Prefect's engine takes a SIGTERM for a crash unless its control listener holds the intent.
    """
    from prefect._internal import control_listener  # no public way (3.9.1)

    control_listener._set_intent("cancel")
    os.kill(os.getpid(), signal.SIGTERM)
