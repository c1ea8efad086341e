"""What steps need beside their inputs: the store, the machine, and services that flows wire up.

Nothing here changes a result, so nothing here is in a cache key. A plain class on purpose: Prefect
walks into dataclasses and pydantic models that tasks are given, and there is nothing for it here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tasks.dag.contracts import OpenEngine, OpenFunction, OpenGrader, OpenRater
from tasks.settings import Resources
from tasks.store.store import Store

StepProgress = Callable[[str, int, int], None]  # label, done, total


def home() -> Path:
    """RESTEM_HOME: where everything restem writes lies; `~/.restem` by default."""
    return Path(os.environ.get("RESTEM_HOME") or Path.home() / ".restem").expanduser().resolve()


def written_folders(store: str = "") -> list[Path]:
    """The folders that a run writes, each of which may be a disk of its own.

    Args:
        store: Address of the store; empty: that of the home.
    """
    names = ("store", "", "runs", "results", "prefect", "cache", "work", "logs")
    own = [Path(store)] if store and "://" not in store else []
    return [*own, *(home() / name for name in names)]


def open_store(resources: Resources, *, trusting: bool = False) -> Store:
    """The artifact store of a configuration; see `Store` for `trusting`."""
    address = resources.store or str(home() / "store")
    return Store(address, cache=home() / "cache", trusting=trusting)


class Runtime:
    """The surroundings of one run."""

    def __init__(
        self,
        *,
        store: Store,
        logs: Path,
        resources: Resources,
        engine: OpenEngine,
        grader: OpenGrader,
        progress: StepProgress,
        functions: OpenFunction | None = None,
        rater: OpenRater | None = None,
        isolate: bool = True,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Gather the services.

        Args:
            logs: Folder for the logs of child processes.
            resources: Cores, devices, batch sizes.
            progress: Told how far the current step is.
            functions: Gives the processes of a function of the user's that many steps call; None:
                there are no such steps.
            rater: Gives a reward model at work; None: there are no such steps.
            isolate: Whether heavy steps run in child processes (False only in benchmarks).
            say: Told what a person may wonder about, such as a wait.
        """
        self.say = say
        # Runs that go side by side in one process wait for each other all the time.
        self.says_waits = True
        self.store = store
        self.logs = logs
        self.resources = resources
        self.engine = engine
        self.grader = grader
        self.progress = progress
        self.functions = functions or _no_functions
        self.rater = rater or _no_functions
        self.isolate = isolate

    def work(self, key: str) -> Path:
        """A folder of a step that outlives a kill (checkpoints); removed after its commit."""
        return home() / "work" / key


def _no_functions(*_: object) -> NoReturn:
    raise AssertionError("nothing gives functions of the user's here")
