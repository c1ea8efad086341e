"""The files of an artifact on a local disk: described, compared and put in their place."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from tasks.durable import sync_folder
from tasks.store.manifest import FileEntry, Manifest
from tasks.store.untrusted import Damage, plain_files, see_folder, sha256_of_plain


def describe_files(folder: Path, volatile: set[str]) -> tuple[FileEntry, ...]:
    """The entries of a manifest for all files in a folder, sorted by name."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [str(path.relative_to(folder)) for path in files]
    return tuple(
        FileEntry(name, path.stat().st_size, sha256(path), name in volatile)
        for name, path in zip(names, files, strict=True)
    )


def verify_files(
    folder: Path, manifest: Manifest, name: str, beside: frozenset[str] = frozenset()
) -> None:
    """Compare every file with the manifest, byte for byte through its hash.

    Args:
        beside: Names of files that may lie there although the manifest does not name them.

    Raises:
        Damage: naming the file; there may be no other, and nothing but plain files and folders.
    """
    place = f"artifact {name}"
    see_folder(folder, place)
    named = {file.name: file for file in manifest.files}
    if more := plain_files(folder, place) - named.keys() - beside:
        raise Damage(f"{place}: {min(more)} is not in its manifest")
    for file in manifest.files:
        found = sha256_of_plain(folder / file.name, file.bytes, f"{place}: {file.name}")
        if found != file.sha256:
            raise Damage(f"{place}: {file.name} does not match its manifest")


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_in_place(draft: Path, place: Path) -> None:
    """Put a draft in its place for good, and away what was damaged there.

    The draft is synced already, so that a power cut never leaves a part of it under the new name.
    """
    place.parent.mkdir(exist_ok=True)  # never the store itself, whose disk may be unmounted
    trash = draft.with_name(draft.name + ".old")
    try:
        os.rename(draft, place)
    except OSError:
        os.rename(place, trash)
        os.rename(draft, place)
    # Before the old files go: until then a power cut may bring them back to the place.
    sync_folder(place.parent)
    shutil.rmtree(trash, ignore_errors=True)
