"""`restem runs delete`: runs go, with what only they hold in the store.

    what the runs reach - what any other run of any home reaches = what goes with them

Nothing else is removed: what no run needs is left to `restem store gc`. An artifact goes before its
run's folder does, so that a removal that was killed is gone on with by the same command.

Not covered: a store far away, whose artifacts others may have found; `restem store gc --others`
removes them, once no home has roots for them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from flows.runs.garbage import Cleaning, Wanted
from flows.runs.journal import at_work, find_run, reached, read_head
from flows.runs.lost_store import removed
from flows.runs.store_use import forget_run
from tasks.dag.runtime import home, open_store
from tasks.errors import StepError, UserError
from tasks.facts import Facts, WrongFacts, is_object
from tasks.settings import Resources
from tasks.store.roots import Roots, home_id, kept, known_home_id
from tasks.store.store import Store
from tasks.store.usage import Lease


@dataclass(frozen=True)
class Removal(Facts):
    """What goes, or went.

    Attributes:
        runs: Ids.
        artifacts: KIND/KEY of those that only these runs hold.
        shared: Artifacts of theirs that stay, because other runs need them.
        far: Stores on other machines, in which their artifacts stay.
        bytes: Of the artifacts and of the runs' folders.
        left: What could not be removed, and why.
    """

    runs: tuple[str, ...]
    artifacts: tuple[str, ...]
    shared: int
    far: tuple[str, ...]
    bytes: int
    deleted: bool
    left: tuple[str, ...] = ()


def remove_runs(asked: Sequence[str], *, delete: bool) -> Removal:
    """Remove runs with what only they hold.

    Args:
        asked: Ids, beginnings of ids, or `latest`.
        delete: False only says what would go.

    Raises:
        UserError: there is no such run, or one is under way.
    """
    folders = sorted({find_run(one) for one in asked})
    if delete and (busy := at_work()):
        raise UserError(
            f"{', '.join(busy)} is under way, and which artifacts it takes is not yet known; "
            "expected no run at work"
        )
    addresses = sorted({_store_of(folder) for folder in folders})
    near = [one for one in addresses if "://" not in one]
    goes: list[str] = []
    left: list[str] = []
    size, shared = sum(_size(folder) for folder in folders), 0
    for address in near:
        store = open_store(Resources(store=address), trusting=True)
        if store.id is None:  # gone, or not there yet
            continue
        with _alone_in(store) if delete else nullcontext():
            found = _Held(store, folders)
            goes, shared, size = goes + found.alone, shared + found.shared, size + found.bytes
            if delete:
                left += found.remove()
    if delete:
        for folder in folders:
            _remove_folder(folder)
    far = tuple(one for one in addresses if "://" in one)
    runs = tuple(folder.name for folder in folders)
    return Removal(runs, tuple(goes), shared, far, size, delete, tuple(left))


class _Held:
    """What runs hold in a store of this machine, and nobody else."""

    def __init__(self, store: Store, folders: Sequence[Path]) -> None:
        self._store, self._folders = store, folders
        wanted = Wanted([], False, "", True, 0.0, ())
        self._cleaning = Cleaning(store, wanted, time.time())
        runs = {folder.name for folder in folders}
        me, own = known_home_id(home()), store.place.root.resolve().is_relative_to(home())
        roots = [one for one in kept(store.place.side) if not _goes(one, runs, me, own)]
        others = [one for one in (home() / "runs").glob("*") if one.is_dir()]
        needed = {place for one in roots for place in one.artifacts}
        needed |= {place for one in others if one.name not in runs for place in reached(one)}
        stays = self._cleaning.reachable(needed)
        mine = self._cleaning.reachable({place for one in folders for place in reached(one)})
        self._ground = store.place.ground()
        there = set(self._ground.artifacts()) & mine
        about = {one: self._ground.about(one) for one in sorted(there - stays)}
        self._alone = [(one, found.whole) for one, found in about.items()]
        self.alone, self.shared = list(about), len(there & stays)
        self.bytes = sum(found.bytes for found in about.values())

    def remove(self) -> list[str]:
        """Remove it; what could not be, and why."""
        left = self._cleaning.remove(self._ground, self._alone, [])
        removed(set(self.alone))
        for folder in self._folders:
            forget_run(self._store, folder.name)
        return left


def _alone_in(store: Store) -> AbstractContextManager[object]:
    """Use a store while no run does."""
    lease = Lease.of_this_process("cleaning", "restem runs delete", home_id(home()))
    return store.place.usage.by_cleaning(lease)


def _goes(roots: Roots, runs: set[str], me: str, own: bool) -> bool:
    """Whether roots are of a run that goes; in a store that homes share, those of this machine."""
    return roots.run in runs and roots.home == me and (own or roots.own_host)


def _store_of(folder: Path) -> str:
    """The address of a run's store; "" where run.json does not say."""
    with suppress(OSError, WrongFacts):
        resources = read_head(folder).config.get("resources")
        return str(resources.get("store", "")) if is_object(resources) else ""
    return ""


def _size(folder: Path) -> int:
    return sum(one.lstat().st_size for one in folder.rglob("*") if not one.is_dir())


def _remove_folder(folder: Path) -> None:
    """The head goes first: what is left of a removal that was killed is no run.

    Raises:
        StepError: naming what could not be removed.
    """
    try:
        (folder / "run.json").unlink(missing_ok=True)
        shutil.rmtree(folder)
    except OSError as error:
        raise StepError(f"{folder}: {error.strerror}") from None
