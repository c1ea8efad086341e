"""Progress of the running task as a Prefect progress artifact, so that the UI shows it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from uuid import UUID

# Each update is a request to the API; more often than this nobody reads it.
EVERY_SECONDS = 3.0


@dataclass
class _Shown:
    artifact: UUID | None
    last: float


class ProgressArtifacts:
    """One artifact for each task run that lasts long enough to have one."""

    def __init__(self) -> None:
        self._shown: dict[str, _Shown] = {}

    def begin(self, label: str) -> None:
        """A task starts."""
        self._shown[label] = _Shown(None, time.monotonic())

    def end(self, label: str) -> None:
        """A task ended."""
        self._shown.pop(label, None)

    def update(self, label: str, done: int, total: int) -> None:
        """Publish the share done, at most every few seconds."""
        from prefect.context import TaskRunContext

        now, shown = time.monotonic(), self._shown.get(label)
        if shown is None or not total or TaskRunContext.get() is None:
            return
        # The end is always published where a beginning was, or the bar would stand short of it.
        ends = done >= total and shown.artifact is not None
        if now - shown.last < EVERY_SECONDS and not ends:
            return
        shown.last = now
        share = min(100.0, 100.0 * done / total)
        import httpx
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        # A server that is being restarted is no reason to lose a step for its progress bar.
        with contextlib.suppress(httpx.HTTPError):
            if shown.artifact is None:
                made = create_progress_artifact(progress=share, description=label)
                shown.artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(artifact_id=shown.artifact, progress=share)
