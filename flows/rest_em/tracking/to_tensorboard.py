"""`tensorboard`: event files in RESTEM_HOME/tensorboard/RUN, for `tensorboard --logdir`."""

from __future__ import annotations

import shutil
from pathlib import Path

from flows.rest_em.tracking.record import TrackedRun


def write(run: TrackedRun, home: Path) -> str:
    """See `Write`."""
    from torch.utils.tensorboard import SummaryWriter

    folder = home / "tensorboard" / run.run
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    with SummaryWriter(str(draft)) as writer:
        for point in (*run.iterations, *run.training):
            for series, value in point.values.items():
                writer.add_scalar(series, value, point.step)
        fields = "\n".join(f"| {name} | {value} |" for name, value in run.config.items())
        writer.add_text("config", f"| field | value |\n|---|---|\n{fields}")
        writer.add_text("report", run.report)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return f"tensorboard --logdir {folder.parent}"
