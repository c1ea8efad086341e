"""`restem store`: list, verify and clean the artifact store."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.runs.journal import at_work, find_run, reached
from flows.runs.lost_store import removed
from flows.runs.store_at import store_at
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.store.store import Damage, Store
from tasks.store.untrusted import Refused, printable


@dataclass(frozen=True)
class StoreEntry:
    """An artifact of the store; `label` is that of the call that made it, or what is wrong."""

    kind: str
    key: str
    rows: int
    bytes: int
    seconds: float
    label: str


def listing(address: str = "") -> list[StoreEntry]:
    """One row for each artifact, the damaged ones too.

    Args:
        address: Of the store; empty: RESTEM_HOME/store.
    """
    store = store_at(address)
    rows = []
    for kind, key in store.entries():
        try:
            manifest = store.read_manifest(kind, key)
        except Damage as damage:
            label = "unfinished upload" if store.unfinished(kind, key) else "damaged"
            label = "refused" if isinstance(damage, Refused) else label
            rows.append(StoreEntry(printable(kind), printable(key), 0, 0, 0.0, label))
            continue
        stats, size = manifest.stats, sum(file.bytes for file in manifest.files)
        label = printable(stats.provenance.label) if stats.provenance else ""
        rows.append(StoreEntry(kind, key, manifest.rows, size, stats.seconds or 0.0, label))
    return rows


@dataclass
class Verified:
    """What `restem store verify` found; messages name the files."""

    whole: int = 0
    damaged: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def verify_store(address: str = "", *, content: bool = True) -> Verified:
    """Compare all artifacts with their manifests.

    Args:
        address: Of the store; empty: RESTEM_HOME/store.
        content: Of a store far away, download and hash everything; False compares what the store
            says of its objects (size, ETag).
    """
    store = store_at(address)
    found = Verified(damaged=store.manifests.strange())
    for kind, key in store.entries():
        try:
            ref = store.lookup(kind, key)
            if ref is None:
                found.unfinished.append(f"{kind}/{key}: an upload that is under way or was killed")
                continue
            if content:
                store.path(ref)
            found.whole += 1
        except Damage as damage:
            found.damaged.append(str(damage))
    return found


@dataclass(frozen=True)
class Collected:
    """What `restem store gc` removed, or would.

    Attributes:
        garbage: KIND/KEY of those that go.
        copies: Copies on this machine of what a remote store has no more.
    """

    kept: int
    garbage: list[str]
    copies: list[str]
    deleted: bool


def collect(keep: list[str], delete: bool, address: str = "", *, others: bool = False) -> Collected:
    """Remove artifacts that no kept run reaches, with Prefect's records of them.

    Args:
        keep: Runs to keep; empty keeps every run that has a journal.
        delete: False only says what would go.
        address: Of the store; empty: RESTEM_HOME/store.
        others: Delete from a store that machines share, though their runs are not known here.

    Raises:
        UserError: a run is under way, or other machines may need what would go.
    """
    if delete and (busy := at_work()):
        raise UserError(
            f"--delete: {', '.join(busy)} is under way and its newest artifacts are not yet known; "
            "expected no run at work"
        )
    store = store_at(address, trusting=True)  # what is not signed may still be needed
    if delete and not store.local and not others:
        raise UserError(
            f"--delete: {address} may hold artifacts of other machines, whose runs are not known "
            "here; --others deletes them too"
        )
    folders = [find_run(run) for run in keep] or list((home() / "runs").glob("*"))
    roots = set()
    for folder in folders:
        roots |= set(reached(folder))
    kept = _reachable(store, roots)
    garbage = [(kind, key) for kind, key in store.entries() if f"{kind}/{key}" not in kept]
    for kind, key in garbage if delete else ():
        store.discard(kind, key)
        for record in (home() / "results").glob(f"*-{key}"):
            record.unlink()
    gone = [f"{kind}/{key}" for kind, key in garbage]
    if delete:
        removed(set(gone))
    return Collected(len(kept), gone, list(store.drop_copies(delete)), delete)


def _reachable(store: Store, roots: set[str]) -> set[str]:
    """The roots and, through the manifests, all that they were made from."""
    seen: set[str] = set()
    stack = list(roots)
    while stack:
        location = stack.pop()
        if location in seen:
            continue
        seen.add(location)
        try:
            manifest = store.read_manifest(*location.split("/"))
        except Damage:
            continue
        if made := manifest.stats.provenance:
            stack += [ref.location for ref in (*made.inputs.values(), *made.context.values())]
    return seen
