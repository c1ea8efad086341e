"""Manifests signed by a key, for a store that several groups may write.

The key is a file that RESTEM_STORE_KEY_FILE names, the same for all who trust each other. The
signature is HMAC-SHA256 (RFC 2104) over the manifest's canonical JSON without `check` and itself,
so it holds for kind, key, every file's hash, and the provenance. Who can verify can also sign.
Without a key nothing is signed and nothing is asked for.
"""

from __future__ import annotations

import hmac
import json
import os
import stat
from pathlib import Path

from tasks.errors import StepError, UserError
from tasks.store.canonical import canonical_json, digest_of
from tasks.store.untrusted import MANIFEST_BYTES, parse_object

KEY_FILE = "RESTEM_STORE_KEY_FILE"
# HMAC-SHA256 is as strong as its hash with a key as long as that (RFC 2104, section 3).
KEY_BYTES = 32
# Nobody's key; more is another file by mistake.
_MOST_BYTES = 4096
_CONTEXT = b"restem manifest 1\n"
_SIGNATURE, _CHECK = "signature", "check"


class SigningKey:
    """A secret that signs manifests and tells its own signatures."""

    def __init__(self, secret: bytes, file: str) -> None:
        """Take the secret.

        Args:
            file: Where it is from, for messages.
        """
        self._secret, self.file = secret, file

    def signature(self, manifest: dict[str, object]) -> str:
        """Of a manifest's JSON, whatever signature it has."""
        what = {n: v for n, v in manifest.items() if n not in (_SIGNATURE, _CHECK)}
        text = _CONTEXT + canonical_json(what)
        return f"hmac-sha256:{hmac.new(self._secret, text, 'sha256').hexdigest()}"

    def has_signed(self, manifest: dict[str, object]) -> bool:
        """Whether a manifest's JSON has this key's signature."""
        found = manifest.get(_SIGNATURE)
        return isinstance(found, str) and hmac.compare_digest(
            found.encode(), self.signature(manifest).encode()
        )

    def sign(self, raw: bytes) -> bytes:
        """A manifest's file with this key's signature in the place of any other.

        Raises:
            ValueError: it is no manifest.
        """
        found = parse_object(raw)
        found.pop(_CHECK, None)
        found[_SIGNATURE] = self.signature(found)
        return json.dumps({**found, _CHECK: digest_of(found)}, indent=1, sort_keys=True).encode()


def signed(manifest: bytes, key: SigningKey | None) -> bytes:
    """A manifest's file as it is committed, with a signature where there is a key.

    Raises:
        StepError: nobody would read it, so large is it.
    """
    raw = manifest if key is None else key.sign(manifest)
    if len(raw) > MANIFEST_BYTES:
        raise StepError(
            f"a manifest of {len(raw):,} bytes; expected at most {MANIFEST_BYTES:,}: take larger "
            "shards"
        )
    return raw


def key_of_environment() -> SigningKey | None:
    """The key of RESTEM_STORE_KEY_FILE, if that is set.

    Raises:
        UserError: it is not a file of a key that its owner alone may read.
    """
    name = os.environ.get(KEY_FILE, "")
    if not name:
        return None
    path = Path(name).expanduser()
    try:
        found = path.stat()
        plain = stat.S_ISREG(found.st_mode)
        raw = path.read_bytes() if plain and found.st_size <= _MOST_BYTES else b""
    except OSError as error:
        raise UserError(f"{KEY_FILE}: {name}: {os.strerror(error.errno or 0)}") from None
    if found.st_mode & 0o077:
        raise UserError(
            f"{KEY_FILE}: {name}: others may read it (mode {stat.S_IMODE(found.st_mode):o}); "
            "expected 600"
        )
    secret = raw.removesuffix(b"\n")
    if len(secret) < KEY_BYTES:
        raise UserError(
            f"{KEY_FILE}: {name}: expected a file of {KEY_BYTES} to {_MOST_BYTES:,} bytes, such as "
            "`openssl rand -hex 32` gives"
        )
    return SigningKey(secret, name)
