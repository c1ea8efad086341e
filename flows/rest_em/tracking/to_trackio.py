"""`trackio`: the run of the same name in the project `restem`, below RESTEM_HOME/trackio.

TRACKIO_DIR names another folder; TRACKIO_SPACE_ID and TRACKIO_SERVER_URL, which Trackio reads
itself, a place elsewhere. What was told of the run before is removed first.
"""

from __future__ import annotations

import os
from pathlib import Path

from flows.rest_em.tracking.record import TrackedRun

PROJECT = "restem"


def write(run: TrackedRun, home: Path) -> str:
    """See `Write`."""
    os.environ.setdefault("TRACKIO_DIR", str(home / "trackio"))  # read when it is imported
    import trackio

    trackio.delete_run(PROJECT, run.run, force=True)
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
    return f"trackio show --project {PROJECT} (TRACKIO_DIR={os.environ['TRACKIO_DIR']})"
