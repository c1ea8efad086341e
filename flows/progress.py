"""Progress of the running task as a Prefect progress artifact, so that the UI shows it."""

from __future__ import annotations

import contextlib
import time
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext

# Each update is a request to the API; more often than this nobody reads it.
EVERY_SECONDS = 3.0


class ProgressArtifact:
    """One artifact for each task run that lasts long enough to have one."""

    def __init__(self) -> None:
        self._label, self._id = "", None
        self._last = time.monotonic()

    def begin(self, label: str) -> None:
        """Another task starts."""
        self._label, self._id = label, None
        self._last = time.monotonic()

    def update(self, done: int, total: int) -> None:
        """Publish the share done, at most every few seconds."""
        now = time.monotonic()
        # The end is always published where a beginning was, or the bar would stand short of it.
        ends = done >= total and self._id is not None
        early = now - self._last < EVERY_SECONDS and not ends
        if early or not total or TaskRunContext.get() is None:
            return
        self._last = now
        share = min(100.0, 100.0 * done / total)
        # A server that is being restarted is no reason to lose a step for its progress bar.
        with contextlib.suppress(httpx.HTTPError):
            if self._id is None:
                made = create_progress_artifact(progress=share, description=self._label)
                self._id = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(artifact_id=self._id, progress=share)
