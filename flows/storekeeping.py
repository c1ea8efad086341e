"""`restem store`: list, verify and clean the artifact store."""

from __future__ import annotations

from typing import Any

from flows.journal import at_work, find_run, reached
from tasks.artifacts import Damage, Store
from tasks.errors import UserError
from tasks.runtime import home, open_store
from tasks.settings import Resources

Json = dict[str, Any]


def listing() -> list[Json]:
    """One row for each artifact, the damaged ones too."""
    store = open_store(Resources())
    rows = []
    for kind, key in store.entries():
        row: Json = {"kind": kind, "key": key, "rows": 0, "bytes": 0, "seconds": 0.0}
        try:
            manifest = store.read_manifest(kind, key)
            stats = manifest["stats"]
            row |= {
                "rows": manifest["rows"],
                "bytes": sum(file["bytes"] for file in manifest["files"]),
                "seconds": stats.get("seconds", 0.0),
                "label": stats.get("provenance", {}).get("label", ""),
            }
        except Damage:
            row["label"] = "damaged"
        rows.append(row)
    return rows


def verify() -> tuple[int, list[str]]:
    """How many artifacts are whole, and what is wrong with the others."""
    store = open_store(Resources())
    whole, damaged = 0, []
    for kind, key in store.entries():
        try:
            store.lookup(kind, key)
            whole += 1
        except Damage as damage:
            damaged.append(str(damage))
    return whole, damaged


def collect(keep: list[str], delete: bool) -> list[str]:
    """Remove artifacts that no kept run reaches, with Prefect's records of them.

    Args:
        keep: Runs to keep; empty keeps every run that has a journal.
        delete: False only says what would go.

    Raises:
        UserError: a run is under way.
    """
    if delete and (busy := at_work()):
        raise UserError(
            f"--delete: {', '.join(busy)} is under way and its newest artifacts are not yet known; "
            "expected no run at work"
        )
    store = open_store(Resources())
    folders = [find_run(run) for run in keep] or list((home() / "runs").glob("*"))
    roots = set()
    for folder in folders:
        roots |= set(reached(folder))
    kept = _reachable(store, roots)
    said = []
    for kind, key in list(store.entries()):
        if f"{kind}/{key}" in kept:
            continue
        said.append(f"{'removed' if delete else 'would remove'} {kind}/{key}")
        if delete:
            store.discard(kind, key)
            for record in (home() / "results").glob(f"*-{key}"):
                record.unlink()
    return [*said, f"{len(kept)} kept, {len(said)} {'removed' if delete else 'to remove'}"]


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
        made = manifest["stats"].get("provenance", {})
        for ref in [*made.get("inputs", {}).values(), *made.get("context", {}).values()]:
            stack.append(f"{ref['kind']}/{ref['key']}")
    return seen
