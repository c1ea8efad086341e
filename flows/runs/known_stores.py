"""Which store this RESTEM_HOME has used at which address: RESTEM_HOME/stores.json.

Another store at the same address, such as the empty folder of a disk that is not mounted, has
another id, or none. A file that is lost or broken only forgets that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from tasks.dag.runtime import home
from tasks.facts import Facts, WrongFacts
from tasks.store.locks import alone

_FILE = "stores.json"


@dataclass(frozen=True)
class KnownStores(Facts):
    """Ids of stores by address; the one of RESTEM_HOME is under the empty text."""

    ids: dict[str, str] = field(default_factory=dict[str, str])


def address_name(address: str) -> str:
    """The form of an address under which its store is known."""
    if not address or "://" in address:
        return address.rstrip("/")
    place = Path(address).expanduser().resolve()
    return "" if place == home() / "store" else str(place)


def known_id(address: str) -> str:
    """Id of the store that was used at an address last; empty where none is known."""
    return _read().ids.get(address_name(address), "")


def remember(address: str, store_id: str) -> None:
    """Keep that this store is used at this address."""
    name = address_name(address)
    if not store_id or _read().ids.get(name) == store_id:
        return
    home().mkdir(parents=True, exist_ok=True)
    with alone(home() / f".{_FILE}.lock"):
        known = KnownStores({**_read().ids, name: store_id})
        draft = home() / f".{_FILE}"
        draft.write_text(json.dumps(known.to_json(), indent=1, sort_keys=True), encoding="utf-8")
        draft.replace(home() / _FILE)


def _read() -> KnownStores:
    try:
        text = (home() / _FILE).read_text(encoding="utf-8")
        return KnownStores.from_json(json.loads(text), _FILE)
    except (OSError, ValueError, RecursionError, WrongFacts):
        return KnownStores()
