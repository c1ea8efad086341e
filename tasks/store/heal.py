"""A damaged artifact makes room for one that is whole."""

from __future__ import annotations

from collections.abc import Callable

from tasks.store.manifest import ArtifactRef, Damage, Refused
from tasks.store.store import Store


def make_room(
    store: Store, kind: str, key: str, waits: Callable[[], None] = lambda: None
) -> ArtifactRef | None:
    """Set a damaged artifact aside, alone with it.

    Args:
        waits: Told once, if another run makes it now.

    Returns:
        The artifact, if another run has healed it meanwhile.

    Raises:
        Refused: it may not be taken here, and is not ours to set aside.
    """
    location = f"{kind}/{key}"
    with store.claim(kind, key, waits):
        store.forget(location)
        seen = store.place.manifest(location)
        try:
            return store.lookup(kind, key)
        except Refused:
            raise
        except Damage:
            store.place.set_aside(location, seen)
    return None
