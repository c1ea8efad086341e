"""`restem store`: list and verify the artifact store; flows/runs/garbage.py cleans it."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.runs.store_at import store_at
from tasks.store.garbage import Waste
from tasks.store.store import Damage
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


def in_quarantine(address: str = "") -> list[Waste]:
    """Damaged artifacts that were set aside and are still there.

    Args:
        address: Of the store; empty: RESTEM_HOME/store.
    """
    ground = store_at(address, trusting=True).place.ground()
    return [one for one in ground.waste(lambda _: True, {}) if one.what == "quarantine"]
