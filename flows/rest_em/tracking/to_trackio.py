"""`trackio`: the run of the same name in the project `restem`, below RESTEM_HOME/trackio.

TRACKIO_DIR names another folder; TRACKIO_SPACE_ID and TRACKIO_SERVER_URL, which Trackio reads
itself, a place elsewhere. What was told of the run before is removed first.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Protocol

from flows.rest_em.tracking.record import TrackedRun

PROJECT = "restem"


class _Run(Protocol):
    """A run, as Trackio gives it."""

    name: str

    def delete(self) -> object: ...


def write(run: TrackedRun, home: Path) -> str:
    """See `Write`."""
    os.environ.setdefault("TRACKIO_DIR", str(home / "trackio"))  # read when it is imported
    import trackio

    elsewhere = any(map(os.environ.get, ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")))
    for earlier in _runs(trackio):
        if earlier.name == run.run:
            earlier.delete()
    logged = trackio.init(
        PROJECT,
        name=run.run,
        config={**run.config, "report": run.report},
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    for point in (*run.iterations, *run.training):
        logged.log(point.values, step=point.step)
    logged.finish()
    if not elsewhere and all(
        one.name != run.run for one in _runs(trackio)
    ):  # it only warns of what goes wrong
        raise OSError(f"nothing could be written below {os.environ['TRACKIO_DIR']}")
    return f"trackio show --project {PROJECT} (TRACKIO_DIR={os.environ['TRACKIO_DIR']})"


def _runs(trackio: ModuleType) -> list[_Run]:
    """What it knows of the project on this machine."""
    try:
        return list(trackio.Api().runs(PROJECT))
    except ValueError:  # there is no such project
        return []
