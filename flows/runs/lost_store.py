"""A store that has lost what runs made is said, and nothing is made again before a person says so.

A run knows from its journal what it came to. Where most of that is missing in the store, the store
was emptied, its disk is not mounted, or the address leads to another one. Where the store itself is
another one than this RESTEM_HOME used there, the journals of all its runs are asked. What gc
removed is not missed (flows/runs/gone.py), and a few damaged artifacts are built again in silence.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from flows.runs.gone import read_gone, write_gone
from flows.runs.journal import reached, read_head
from flows.runs.known_stores import address_name, known_id, remember
from tasks.dag.runtime import home, open_store
from tasks.errors import UserError
from tasks.facts import WrongFacts, is_list, is_object
from tasks.rows import Json
from tasks.settings import Resources
from tasks.store.store import Store

REBUILD = "RESTEM_REBUILD"
# Fewer artifacts than this are quickly made again: a data set and a base model.
_FEW = 3
# Of a store far away so many are asked for first; are they there, no listing is needed.
_ASKED = 3


@dataclass(frozen=True)
class Loss:
    """What a store has lost.

    Attributes:
        missing: Artifacts that are not there, by the folder of each run that came to them.
        known: How many these runs came to.
        place: Where the store is, or should be.
        why: What may have happened.
    """

    missing: dict[Path, set[str]]
    known: int
    place: str
    why: str

    @property
    def line(self) -> str:
        """It in one line."""
        count = len(set().union(*self.missing.values()))
        [*runs] = sorted(folder.name for folder in self.missing)
        whose = runs[0] if len(runs) == 1 else f"{len(runs)} runs of this RESTEM_HOME"
        return (
            f"resources.store: {self.place}: {count} of the {self.known} artifacts of {whose} are "
            f"missing there ({self.why})"
        )


def find_loss(run_id: str, store: Store, address: str) -> Loss | None:
    """What a run that is about to start would have to make again, if that is most of its work.

    Args:
        address: Of the store as the configuration names it.
    """
    before = known_id(address)
    another = bool(before) and store.id not in ("", before)
    own = home() / "runs" / run_id
    folders = [*_runs_at(address), own] if another else [own]
    known = {folder: _known(folder) for folder in folders}
    every = sorted(set().union(*known.values()))
    if len(every) < _FEW:
        return None
    some = [every[at * (len(every) - 1) // (_ASKED - 1)] for at in range(_ASKED)]
    if not store.local and not another and store.manifests.missing(some, listed=False) == set():
        return None
    missing = store.manifests.missing(every)
    if len(missing) < _FEW or 2 * len(missing) <= len(every):
        return None
    why = "it was emptied, or most of it was removed"
    if store.id is None:
        why = "there is no store: is its disk mounted, is the address right?"
    elif another:
        why = "it is another store than the one that was used there: is its disk mounted?"
    lost = {folder: found & missing for folder, found in known.items() if found & missing}
    return Loss(lost, len(every), store.root, why)


def see_store(run_id: str, store: Store, resources: Resources) -> None:
    """See that a store has what its runs made, and is ready to be written.

    Raises:
        UserError: it has lost most of it, and nobody said to make that again; or no store can be
            made at the address.
    """
    if (loss := find_loss(run_id, store, resources.store)) is not None:
        if not resources.rebuild and os.environ.get(REBUILD, "") in ("", "0"):
            raise UserError(refusal(loss))
        for folder, missing in loss.missing.items():
            write_gone(folder, read_gone(folder) | missing)
    store.prepare()
    remember(resources.store, store.id or "")


def refusal(loss: Loss) -> str:
    """Why a run does not start, and how it would."""
    return (
        f"{loss.line}; expected that store, or --rebuild, resources.rebuild=true or {REBUILD}=1, "
        "which make all of it again"
    )


def see_before(run_id: str, resources: Resources) -> Loss | None:
    """The loss that a start would be refused for, looked at before anything is started."""
    if resources.rebuild or os.environ.get(REBUILD, "") not in ("", "0"):
        return None
    return find_loss(run_id, open_store(resources), resources.store)


def without_rebuild(config: Json) -> Json:
    """A configuration as a journal keeps it: what was said once is not said for every resume."""
    kept = dict(config)
    if is_object(resources := config.get("resources")) and resources.get("rebuild"):
        kept["resources"] = {**resources, "rebuild": False}
    if is_list(changes := config.get("changes")):  # of a study
        kept["changes"] = [one for one in changes if not str(one).startswith("resources.rebuild")]
    return kept


def removed(locations: set[str]) -> None:
    """Tell the journals of all runs what gc removed, so that it is not missed."""
    for folder in (home() / "runs").glob("*/"):
        if lost := _known(folder) & locations:
            write_gone(folder, read_gone(folder) | lost)


def _known(folder: Path) -> set[str]:
    with contextlib.suppress(OSError, WrongFacts):
        return set(reached(folder)) - read_gone(folder)
    return set()


def _runs_at(address: str) -> list[Path]:
    """Folders of the runs whose store is at an address."""
    found: list[Path] = []
    for folder in sorted((home() / "runs").glob("*/")):
        with contextlib.suppress(OSError, WrongFacts, ValueError):
            resources = read_head(folder).config.get("resources")
            place = resources.get("store", "") if is_object(resources) else ""
            if address_name(str(place)) == address_name(address):
                found.append(folder)
    return found
