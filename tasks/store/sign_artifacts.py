"""Signs artifacts that are in a store already, each after it was verified."""

from __future__ import annotations

from enum import StrEnum

from tasks.store.manifest import Manifest
from tasks.store.signing import SigningKey
from tasks.store.store import Store
from tasks.store.untrusted import Damage, parse_object


class Signed(StrEnum):
    """What became of an artifact."""

    NOW = "signed"
    BEFORE = "signed before"
    OTHERWISE = "signed by another key"
    UNFINISHED = "unfinished"


def sign_artifact(
    store: Store, kind: str, key: str, secret: SigningKey, *, again: bool = False
) -> Signed:
    """Sign one artifact.

    Args:
        store: Opened as one that trusts, or it refuses what is to be signed.
        again: Also where another key has signed it.

    Raises:
        Damage: it is not whole; then it is not signed.
        UserError: the store cannot be written.
    """
    ref = store.lookup(kind, key)
    if ref is None:
        return Signed.UNFINISHED
    store.path(ref)  # of a store far away, the content too
    raw = store.manifests.raw(kind, key) or b""
    if Manifest.from_bytes(raw, ref.location) != store.manifest(ref):
        raise Damage(f"artifact {ref.location}: it changed while it was verified")
    found = parse_object(raw)
    if secret.has_signed(found):
        return Signed.BEFORE
    if found.get("signature") is not None and not again:
        return Signed.OTHERWISE
    store.replace_manifest(ref, secret.sign(raw))
    return Signed.NOW
