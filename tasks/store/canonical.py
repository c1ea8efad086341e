"""The form of JSON that is hashed."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: the form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: object) -> str:
    """SHA-256 of a JSON-able value in its canonical form, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
