"""What an artifact is made of: references, manifests and the files that manifests describe.

Not here: where artifacts lie and how they are committed (tasks/store/store.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.rows import Json

MANIFEST = "manifest.json"


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON-able value in its canonical form, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


@dataclass(frozen=True)
class ArtifactRef:
    """What a step returns and Prefect keeps: a name for a payload, never the payload."""

    kind: str
    key: str
    digest: str
    rows: int

    @property
    def location(self) -> str:
        """Path relative to the store."""
        return f"{self.kind}/{self.key}"

    def to_json(self) -> Json:
        """Plain JSON, free of class paths, so that moving this class loses no cache."""
        return asdict(self)


class Damage(Exception):
    """An artifact does not match its manifest; the message names the file."""


def describe_all(folder: Path, volatile: set[str]) -> list[Json]:
    """The entries of a manifest for all files in a folder, sorted by name."""
    return [describe(p, folder, volatile) for p in sorted(folder.rglob("*")) if p.is_file()]


def reference(manifest: Json) -> ArtifactRef:
    """The reference to the artifact of a manifest."""
    return ArtifactRef(**{name: manifest[name] for name in ("kind", "key", "digest", "rows")})


def sealed(manifest: Json) -> bytes:
    """A manifest as it is written, with the hash of itself."""
    whole = {**manifest, "check": digest_of(manifest)}
    return json.dumps(whole, indent=1, sort_keys=True).encode()


def place_of(location: str, manifest: Json) -> str:
    """Where the payload of an artifact lies in a store far away."""
    return f"{location}/{manifest['part']}" if "part" in manifest else location


def draft_name(what: str) -> str:
    """A name that says whose draft it is, so that it can be swept when its process is gone."""
    return f"{what}~{platform.node()}~{os.getpid()}~{uuid.uuid4().hex[:8]}"


def opened(raw: bytes, name: str) -> Json:
    """The inverse of `sealed`.

    Raises:
        Damage: it does not match its own hash.
    """
    try:
        manifest = json.loads(raw)
        check = manifest.pop("check")
        if check != digest_of(manifest):
            raise ValueError
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Damage(f"artifact {name}: {MANIFEST} does not match its own hash") from None


def verify(folder: Path, manifest: Json, name: str) -> None:
    """Compare every file with the manifest, byte for byte through its hash.

    Raises:
        Damage: naming the file.
    """
    for file in manifest["files"]:
        path = folder / file["name"]
        if not path.is_file():
            raise Damage(f"artifact {name}: {file['name']} is missing")
        if path.stat().st_size != file["bytes"] or sha256(path) != file["sha256"]:
            raise Damage(f"artifact {name}: {file['name']} does not match its manifest")


def describe(path: Path, folder: Path, volatile: set[str]) -> Json:
    """A file's entry in the manifest: name, bytes, sha256, volatile."""
    name = str(path.relative_to(folder))
    return {
        "name": name,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "volatile": name in volatile,
    }


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(folder: Path) -> None:
    """Flush to disk before the rename, so that a power cut cannot commit empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def put_in_place(draft: Path, place: Path) -> None:
    """Put a draft in its place, and away what was damaged there."""
    place.parent.mkdir(exist_ok=True)  # never the store itself, whose disk may be unmounted
    try:
        os.rename(draft, place)
    except OSError:
        trash = draft.with_name(draft.name + ".old")
        os.rename(place, trash)
        os.rename(draft, place)
        shutil.rmtree(trash, ignore_errors=True)
