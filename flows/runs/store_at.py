"""The store that `--store` names; commands that only look at one make none."""

from __future__ import annotations

from tasks.dag.runtime import open_store
from tasks.errors import UserError
from tasks.settings import Resources
from tasks.store.remote import STORE_MARK
from tasks.store.store import Store


def store_at(address: str, *, trusting: bool = False) -> Store:
    """Open a store that is there; the one of RESTEM_HOME may be empty still.

    Args:
        address: Of the store; empty: RESTEM_HOME/store.
        trusting: Take artifacts that no key has signed.

    Raises:
        UserError: there is no store at the address.
    """
    store = open_store(Resources(store=address), trusting=trusting)
    if address and store.id is None:
        raise UserError(
            f"--store: {address}: there is no store; expected a folder or an address with the file "
            f"{STORE_MARK}, which the first run makes"
        )
    return store
