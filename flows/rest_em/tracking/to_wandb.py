"""`wandb`: the run of the same id in the project `restem` (or WANDB_PROJECT).

Online where WANDB_API_KEY is set, else offline below RESTEM_HOME/wandb, from where `wandb sync`
sends it later; WANDB_MODE decides where it is set. Without `resume`, a run of an id that is known
replaces the old one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from flows.rest_em.tracking.record import TRAIN, TrackedRun

PROJECT = "restem"
STEP, ITERATION = "train/step", "iteration"
LOGIN_SECONDS = 60.0


def write(run: TrackedRun, home: Path) -> str:
    """See `Write`."""
    import wandb

    for earlier in (home / "wandb").glob(f"offline-run-*-{run.run}"):
        shutil.rmtree(earlier)
    (home / "wandb").mkdir(parents=True, exist_ok=True)
    mode = "online" if os.environ.get("WANDB_API_KEY") else "offline"
    settings = wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        init_timeout=LOGIN_SECONDS,
        x_disable_stats=True,
        x_disable_meta=True,
    )
    logged = wandb.init(
        project=os.environ.get("WANDB_PROJECT") or PROJECT,
        id=run.run,
        name=run.run,
        dir=home,
        config={**run.config, "report": run.report},
        mode=os.environ.get("WANDB_MODE") or mode,  # type: ignore[arg-type]
        settings=settings,
    )
    # Its own step counts calls and never goes back, so each kind of series has an axis of its own.
    logged.define_metric(ITERATION)
    logged.define_metric(STEP)
    for prefix in ("eval", "transfer", "samples", "cost"):
        logged.define_metric(f"{prefix}/*", step_metric=ITERATION)
    logged.define_metric(f"{TRAIN}*", step_metric=STEP)
    for point in run.iterations:
        logged.log({ITERATION: point.step, **point.values})
    for point in run.training:
        logged.log({STEP: point.step, **point.values})
    logged.finish()
    return logged.url or str(Path(logged.dir).parent)
