"""`restem store gc`: what no run of any home needs, found and removed.

    roots of all homes -> what they reach through the manifests -> the rest, where it is old enough

A run under way is never cleaned under (tasks/store/usage.py), and a home that is switched off keeps
what it needs by its roots (tasks/store/roots.py). Of this home its journals count as well, also
those of runs that are older than roots.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from flows.runs.journal import at_work, find_run, reached
from flows.runs.lost_store import removed
from flows.runs.store_at import store_at
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.store.garbage import Ground, Waste, old_folders, remove_paths
from tasks.store.heal import make_room
from tasks.store.manifest import Damage
from tasks.store.read_only import needs_writing, see_writable
from tasks.store.roots import Roots, drop, home_id, kept, known_home_id, other_homes
from tasks.store.store import Store
from tasks.store.usage import Lease

# An upload, a probe or a run of another version may still be at what is younger.
LEAST_AGE_SECONDS = 24 * 3600.0
# An interrupted fine-tune goes on from its checkpoints; a run that awaits review waits so long.
CHECKPOINT_SECONDS = 14 * 24 * 3600.0


@dataclass(frozen=True)
class OtherHome:
    """A home beside this one that keeps artifacts by its roots.

    Attributes:
        id: What `--forget` takes.
        path: Of it, on its host.
    """

    id: str
    host: str
    path: str
    runs: int


@dataclass(frozen=True)
class Collected:
    """What `restem store gc` removed, or would.

    Attributes:
        garbage: KIND/KEY of those that go.
        copies: Copies on this machine of what a remote store has no more.
        waste: What goes and is no artifact.
        bytes: Of garbage and waste.
        young: Artifacts that no run reaches and that are not old enough to go.
        homes: Other homes with roots in this store.
        left: What could not be removed, and why.
    """

    kept: int
    garbage: list[str]
    copies: list[str]
    deleted: bool
    waste: list[Waste] = field(default_factory=list[Waste])
    bytes: int = 0
    young: int = 0
    homes: list[OtherHome] = field(default_factory=list[OtherHome])
    left: list[str] = field(default_factory=list[str])

    def to_json(self) -> dict[str, object]:
        """For `--json`; what came later is left out where there is nothing of it."""
        first = ("kept", "garbage", "copies", "deleted")
        return {name: value for name, value in asdict(self).items() if name in first or value}


@dataclass(frozen=True)
class Wanted:
    """What a person asked for; see `collect`."""

    keep: list[str]
    delete: bool
    address: str
    others: bool
    older_than: float | None
    forget: tuple[str, ...]


def collect(
    keep: list[str],
    delete: bool,
    address: str = "",
    *,
    others: bool = False,
    older_than: float | None = None,
    forget: Sequence[str] = (),
) -> Collected:
    """Remove artifacts that no kept run of any home reaches, with Prefect's records of them.

    Args:
        keep: Runs of this home to keep; empty keeps every run that has a journal.
        delete: False only says what would go.
        address: Of the store; empty: RESTEM_HOME/store.
        others: Also what no home's roots say anything of, though homes of an older version, which
            have none, may need it.
        older_than: Seconds for which nothing was written to what goes; None: LEAST_AGE_SECONDS.
        forget: Other homes that are gone for good, by the beginning of their ids.

    Raises:
        UserError: a run is under way, or other homes may need what would go.
    """
    wanted = Wanted(keep, delete, address, others, older_than, tuple(forget))
    if wanted.delete and (busy := at_work()):
        raise UserError(
            f"--delete: {', '.join(busy)} is under way and its newest artifacts are not yet known; "
            "expected no run at work"
        )
    store = store_at(wanted.address, trusting=True)  # what is not signed may still be needed
    if wanted.delete and not store.local and not wanted.others:
        raise UserError(
            f"--delete: {wanted.address} may hold artifacts of other machines, whose runs are not "
            "known here; --others deletes them too"
        )
    if wanted.delete and store.local and store.id is not None:
        with needs_writing(store.root):
            see_writable(Path(store.root))
    if not wanted.delete:
        return Cleaning(store, wanted, time.time()).done()
    lease = Lease.of_this_process("cleaning", "restem store gc", home_id(home()))
    with store.place.usage.by_cleaning(lease) as now:
        store.sweep_drafts()
        return Cleaning(store, wanted, now).done()


class Cleaning:
    """One look at a store, and what follows from it."""

    def __init__(self, store: Store, wanted: Wanted, now: float) -> None:
        self._store, self._wanted, self._now = store, wanted, now
        self._age = LEAST_AGE_SECONDS if wanted.older_than is None else wanted.older_than
        self._parts: dict[str, str | None] = {}  # of what is reached; see Ground.waste
        self._me = known_home_id(home())

    def done(self) -> Collected:
        """Look, and remove what was asked for."""
        found = kept(self._store.place.side)
        homes, forgotten = self._split(found)
        mine, dropped = self._own(found)
        roots = {place for one in (*mine, *homes) for place in one.artifacts}
        reached_by_roots = self.reachable(roots)
        ground = self._store.place.ground()
        there = ground.artifacts()
        garbage, young, size = [], 0, 0
        for location in there:
            if location in reached_by_roots:
                continue
            about = ground.about(location)
            if self._old(about.modified):
                garbage.append((location, about.whole))
                size += about.bytes
            else:
                young += 1
        self._refuse_unknown([place for place, _ in garbage], [*dropped, *forgotten])
        stay = set(there) & reached_by_roots
        waste = ground.waste(self._old, {one: self._parts.get(one) for one in sorted(stay)})
        waste += self._beside(set(there))
        left: list[str] = []
        if self._wanted.delete:
            left = self.remove(ground, garbage, waste)
            removed({place for place, _ in garbage})
            drop(self._store.place.side, [*dropped, *forgotten])
        return Collected(
            len(reached_by_roots),
            [place for place, _ in garbage],
            list(self._store.drop_copies(self._wanted.delete)),
            self._wanted.delete,
            waste,
            size + sum(one.bytes for one in waste),
            young,
            _described(homes),
            left,
        )

    def _old(self, modified: float, age: float | None = None) -> bool:
        age = self._age if age is None else age
        return not age or modified <= self._now - age

    def _split(self, found: list[Roots]) -> tuple[list[Roots], list[Roots]]:
        """Roots of other homes that count, and those to forget."""
        homes = other_homes(found, self._me)
        forgotten: list[Roots] = []
        for asked in self._wanted.forget:
            names = [one for one in homes if one.startswith(asked)] if asked else []
            if len(names) != 1:
                known = ", ".join(sorted(homes)) or "no other home"
                raise UserError(f"--forget {asked}: expected one of the store's homes: {known}")
            forgotten += homes.pop(names[0])
        return [one for roots in homes.values() for one in roots], forgotten

    def _own(self, found: list[Roots]) -> tuple[list[Roots], list[Roots]]:
        """What this home's runs need, and its roots in the store that no kept run has any more."""
        folders = [find_run(run) for run in self._wanted.keep]
        folders = folders or [one for one in (home() / "runs").glob("*") if one.is_dir()]
        mine = [
            Roots(home=self._me, host="", path="", run=one.name, artifacts=tuple(reached(one)))
            for one in folders
        ]
        runs = {one.run for one in mine}
        written = [one for one in found if one.home == self._me and one.run not in runs]
        # A home that moves between machines, or was cloned with its machine, keeps its id.
        elsewhere = [one for one in written if not one.own_host]
        return [*mine, *elsewhere], [one for one in written if one.own_host]

    def reachable(self, roots: set[str]) -> set[str]:
        """The roots and, through the manifests, all that they were made from."""
        seen: set[str] = set()
        asked = set(roots)
        while asked:
            seen |= asked
            self._store.place.prefetch(asked)
            found: set[str] = set()
            for location in asked:
                self._parts[location] = None
                with contextlib.suppress(Damage):
                    manifest = self._store.read_manifest(*location.split("/"))
                    self._parts[location] = manifest.part or ""
                    if made := manifest.stats.provenance:
                        inputs = (*made.inputs.values(), *made.context.values())
                        found |= {ref.location for ref in inputs}
            asked = found - seen
        return seen

    def _refuse_unknown(self, garbage: list[str], dropped: list[Roots]) -> None:
        """See that nobody else made what goes from a folder that homes may share.

        Raises:
            UserError: nothing says whose it is.
        """
        place = self._store.place
        own = not place.remote and place.root.resolve().is_relative_to(home())
        if not self._wanted.delete or self._wanted.others or own or not garbage:
            return
        journals = [reached(one) for one in (home() / "runs").glob("*") if one.is_dir()]
        mine = {place for one in journals for place in one}
        known = self.reachable(mine | {place for one in dropped for place in one.artifacts})
        if unknown := [place for place in garbage if place not in known]:
            raise UserError(
                f"--delete: nothing says whose {unknown[0]} is ({len(unknown)} such in "
                f"{self._wanted.address}); homes of an older version may need them; --others "
                "deletes them too"
            )

    def _beside(self, there: set[str]) -> list[Waste]:
        """Old drafts, and checkpoints that nothing will go on from."""
        found = old_folders(self._store.place.drafts, "draft", self._old, ".drafts")
        work, made = home() / "work", {place.partition("/")[2] for place in there}
        longer = CHECKPOINT_SECONDS if self._wanted.older_than is None else self._age
        settled = old_folders(work, "checkpoints", lambda at: self._old(at, longer), "work")
        for one in old_folders(work, "checkpoints", self._old, "work"):
            if one in settled or one.name.partition("/")[2] in made:
                found.append(one)
        return found

    def remove(
        self, ground: Ground, garbage: list[tuple[str, bool]], waste: list[Waste]
    ) -> list[str]:
        """Damage is set aside, all else removed, and Prefect's records with it."""
        far = not self._store.local
        goes = [place for place, whole in garbage if whole or far]
        for kind, key in (place.split("/") for place, whole in garbage if not whole and not far):
            make_room(self._store, kind, key)
        left = ground.remove(goes, waste)
        beside = {"draft": self._store.place.drafts, "checkpoints": home() / "work"}
        left += remove_paths(
            beside[one.what] / Path(one.name).name for one in waste if one.what in beside
        )
        _forget_records({place.partition("/")[2] for place, _ in garbage})
        return left


def _forget_records(keys: set[str]) -> None:
    """Remove Prefect's records of artifacts, whose names are STEP-KEY; with one listing."""
    for record in (home() / "results").glob("*-*") if keys else ():
        if record.name.rpartition("-")[2] in keys:
            with contextlib.suppress(FileNotFoundError):
                record.unlink()


def _described(roots: Iterable[Roots]) -> list[OtherHome]:
    of: dict[str, list[Roots]] = {}
    for one in roots:
        of.setdefault(one.home, []).append(one)
    return [OtherHome(name, of[name][0].host, of[name][0].path, len(of[name])) for name in of]
