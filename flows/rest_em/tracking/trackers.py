"""`tracking`: where people keep the curves of their runs, each through its own library.

They are told at the end of a run, a cached one too, and always under the run's id: what an earlier
attempt told is replaced. Each library works in a process of its own, for a limited time: whatever
it does there (waits for a network, asks for a login, dies) costs the run one line. A library that
is missing is said when the run starts. docs/tracking.md has what lies where.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flows.rest_em.tracking.record import TrackedRun
from tasks.errors import StepError, UserError
from tasks.paths import ROOT
from tasks.processes.child import Child
from tasks.settings.tracking import TrackerName

# All of a run for one tracker, a login and an upload with it. A library that waits for a network
# that is not there would wait for minutes, each time.
LIMIT_SECONDS = 180.0
_LONGEST = 300
_CHILD = Path(__file__).with_name("child.py")


class Write(Protocol):
    """Tells one library of a run: a file of this folder has it."""

    def __call__(self, run: TrackedRun, home: Path) -> str:
        """Replace what it knows of the run; returns where to look.

        Args:
            run: What to tell.
            home: RESTEM_HOME, below which it writes what nobody takes elsewhere.
        """
        ...


@dataclass(frozen=True)
class Tracker:
    """A library: what has to be importable, and the module here whose `write` tells it."""

    needs: tuple[str, ...]
    module: str


TRACKERS: dict[TrackerName, Tracker] = {
    "tensorboard": Tracker(("tensorboard",), "flows.rest_em.tracking.to_tensorboard"),
    "wandb": Tracker(("wandb",), "flows.rest_em.tracking.to_wandb"),
    "mlflow": Tracker(("mlflow",), "flows.rest_em.tracking.to_mlflow"),
    "trackio": Tracker(("trackio",), "flows.rest_em.tracking.to_trackio"),
}


def installed(names: Sequence[TrackerName], warn: Callable[[str], None]) -> list[TrackerName]:
    """Those of the trackers that are there; of each other one it is said what is missing."""
    found: list[TrackerName] = []
    for name in dict.fromkeys(names):
        missing = [one for one in TRACKERS[name].needs if importlib.util.find_spec(one) is None]
        if missing:
            warn(f"tracking: {missing[0]} is not installed; pip install 'restem[{name}]'")
        else:
            found.append(name)
    return found


def tell(
    name: TrackerName,
    run: TrackedRun,
    home: Path,
    log: Path,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    limit: float = LIMIT_SECONDS,
) -> None:
    """Tell one tracker of a run; what goes wrong is a warning.

    Args:
        name: Of the tracker.
        run: What to tell.
        home: RESTEM_HOME.
        log: File for what the library prints.
        say: Told where to look.
        warn: Told why it went wrong.
        limit: Seconds after which its process is ended.
    """
    late = threading.Event()
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # PYTHONSAFEPATH: the folder of the script holds no libraries.
    env = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    try:
        with Child.script(Path(sys.executable), _CHILD, log=log, env=env) as child:

            def end() -> None:
                late.set()
                child.close()

            timer = threading.Timer(limit, end)
            timer.start()
            try:
                done = child.call(
                    {"module": TRACKERS[name].module, "run": run.to_json(), "home": str(home)}
                )
            finally:
                timer.cancel()
        say(f"{name}: {done['where']}")
    except (StepError, UserError, OSError) as error:
        why = f"not done in {limit:.0f} s" if late.is_set() else str(error).partition("\n")[0]
        warn(
            f"tracking: {name}: {why[:_LONGEST]} (log: {log}); the run itself is done, and the "
            "same command tells it again"
        )
