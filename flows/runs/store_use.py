"""What a run tells the store that it uses: that it is at work, and what it must find again.

From before its first lookup to its end it holds the store against cleanings, and its roots are
written there when it begins, every minute while it goes on, and at its end; each time only if there
is something new. What it came to stands in its journal.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path

from flows.runs.journal import reached, read_head
from tasks.dag.runtime import home
from tasks.errors import StepError, UserError
from tasks.facts import WrongFacts
from tasks.settings import Resources
from tasks.store.place import Place
from tasks.store.roots import ROOTS, Roots, drop, home_id, keep, known_home_id, roots_of
from tasks.store.store import Store
from tasks.store.usage import Lease, briefly


@contextlib.contextmanager
def in_use(store: Store, run_id: str, say: Callable[[str], None]) -> Generator[None]:
    """Use a store for a run; what its journal names is kept there.

    Args:
        say: Told of a cleaning that is waited for, or that the store cannot be written.
    """
    place, folder = store.place, home() / "runs" / run_id
    written: list[Roots] = []

    def write() -> None:
        now = roots_of(home(), run_id, reached(folder))
        if now.home and now.artifacts and written[-1:] != [now]:
            keep(place.side, now)
            written[:] = [now]

    lease = Lease.of_this_process("run", run_id, home_id(home()))
    with place.usage.by_run(lease, say, write):
        # A store that cannot be written has said so, and one that is away is the steps' to say.
        with contextlib.suppress(OSError, UserError, StepError):
            _join(place, store.address)
            write()
        try:
            yield
        finally:
            briefly(write)


def held(store: Store, what: str) -> AbstractContextManager[None]:
    """Hold a store against cleanings for something that is no run and leaves no roots.

    Args:
        what: As a cleaning names it.
    """
    lease = Lease.of_this_process("run", what, home_id(home()))
    return store.place.usage.by_run(lease, lambda _: None, lambda: None)


def forget_run(store: Store, run_id: str) -> None:
    """Take the roots of a run out of the store that it used."""
    if known := known_home_id(home()):
        gone = Roots(home=known, host="", path="", run=run_id, artifacts=())
        with contextlib.suppress(OSError, UserError, StepError):
            drop(store.place.side, [gone])


def _join(place: Place, address: str) -> None:
    """At this home's first use of the store: the roots of the runs that it had before."""
    mine = f"{ROOTS}/{home_id(home())}"
    if place.side.times(mine):
        return
    for folder in (home() / "runs").glob("*"):
        if folder.is_dir() and _used(folder, address, bool(place.remote)):
            roots = roots_of(home(), folder.name, reached(folder))
            if roots.artifacts:
                keep(place.side, roots)


def _used(folder: Path, address: str, far: bool) -> bool:
    """Whether a run may have used a store; a folder may have had another name."""
    try:
        resources = read_head(folder).config.get("resources")
        there = Resources.model_validate(resources or {}).store
    except (OSError, ValueError, WrongFacts):
        return True
    return there.rstrip("/") == address.rstrip("/") if far else "://" not in there
