"""`restem store sign`: sign what is in a store already."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.runs.store_at import store_at
from tasks.errors import UserError
from tasks.store.sign_artifacts import Signed, sign_artifact
from tasks.store.signing import KEY_FILE, key_of_environment
from tasks.store.untrusted import Damage


@dataclass
class SignedStore:
    """What `restem store sign` did; messages name the files.

    Attributes:
        signed: How many it signed now.
        before: How many the key had signed before.
        otherwise: KIND/KEY of those that another key has signed.
        damaged: Those that are not whole, and were not signed.
    """

    signed: int = 0
    before: int = 0
    otherwise: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def sign_store(address: str = "", *, again: bool = False) -> SignedStore:
    """Verify every artifact of a store and sign it.

    Args:
        address: Of the store; empty: RESTEM_HOME/store.
        again: Also what another key has signed.

    Raises:
        UserError: there is no key, or the store cannot be written.
    """
    key = key_of_environment()
    if key is None:
        raise UserError(f"{KEY_FILE}: it is not set; expected the file of a key")
    store = store_at(address, trusting=True)
    found = SignedStore(damaged=store.manifests.strange())
    for kind, name in store.entries():
        try:
            became = sign_artifact(store, kind, name, key, again=again)
        except Damage as damage:
            found.damaged.append(str(damage))
            continue
        found.signed += became is Signed.NOW
        found.before += became is Signed.BEFORE
        if became is Signed.OTHERWISE:
            found.otherwise.append(f"{kind}/{name}")
    return found
