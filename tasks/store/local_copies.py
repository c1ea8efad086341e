"""Copies on this machine of what lies in a store far away: each downloaded once, and whole.

A copy is downloaded into a draft, verified and renamed, under a lock, so that processes which need
one model at once download it once and none sees half of it. Copies are a cache: `restem store gc`
drops those that the store no longer has, and the whole folder may be removed between runs.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from tasks.store.draft_owner import draft_name
from tasks.store.files import put_in_place, verify_files
from tasks.store.locks import alone
from tasks.store.manifest import MANIFEST, Manifest
from tasks.store.remote import PART, Remote
from tasks.store.untrusted import Damage


class LocalCopies:
    """The copies of one store."""

    def __init__(self, remote: Remote, folder: Path, drafts: Path, locks: Path) -> None:
        """Nothing is downloaded yet.

        Args:
            folder: Where copies lie, as KIND/KEY.
            drafts: Where downloads are made, on the same file system.
            locks: Folder of lock files.
        """
        self._remote, self._folder = remote, folder
        self._drafts, self._locks = drafts, locks
        self._whole: set[str] = set()  # verified by this process

    def check(self, location: str, manifest: Manifest) -> None:
        """See that an artifact in the store is what its manifest says, by what the store tells.

        Where its ETags are others than at the upload (or it has none), or what it sent was wrong
        before, the content decides.

        Raises:
            Damage: naming the file.
        """
        name = f"{self._remote.root}/{location}"
        there = self._remote.files(manifest.payload)
        named = {file.name for file in manifest.files}
        if more := [one for one in there.keys() - named if not _beside(one, manifest)]:
            raise Damage(f"artifact {name}: {min(more)} is not in its manifest")
        for file in manifest.files:
            if file.name not in there:
                raise Damage(f"artifact {name}: {file.name} is missing")
            if there[file.name][0] != file.bytes:
                raise Damage(f"artifact {name}: {file.name} does not match its manifest")
        files = [(file, there[file.name][1]) for file in manifest.files]
        wrong = self._wrong(location).exists()
        if wrong or any(not file.etag or etag != file.etag for file, etag in files):
            self._whole.discard(location)
            self._fetched(location, manifest, afresh=wrong or any(etag for _, etag in files))

    def path(self, location: str, manifest: Manifest) -> Path:
        """The copy, downloaded if need be.

        Raises:
            Damage: what the store sends does not match the manifest.
        """
        copy = self._folder / location
        if location in self._whole and copy.is_dir():
            return copy
        return self._fetched(location, manifest)

    def keep(self, location: str, draft: Path) -> None:
        """Take a folder that was uploaded as the copy."""
        with alone(self._lock(location)):
            self._put(location, draft)

    def drop(self, location: str) -> None:
        """Remove a copy."""
        self._whole.discard(location)
        self._wrong(location).unlink(missing_ok=True)
        shutil.rmtree(self._folder / location, ignore_errors=True)

    def listed(self) -> list[str]:
        """Locations of all copies, sorted."""
        return sorted(f"{p.parent.name}/{p.name}" for p in self._folder.glob("[!.]*/*"))

    def _fetched(self, location: str, manifest: Manifest, *, afresh: bool = False) -> Path:
        """The copy; `afresh`: downloaded although there is one."""
        copy = self._folder / location
        with alone(self._lock(location)):
            if not afresh:
                with contextlib.suppress(Damage):
                    verify_files(copy, manifest, str(copy))
                    self._whole.add(location)
                    return copy
            draft = self._drafts / draft_name(location.replace("/", "~"))
            try:
                draft.mkdir(parents=True)
                names = [file.name for file in manifest.files]
                self._remote.download(manifest.payload, names, draft)
                try:
                    verify_files(draft, manifest, f"{self._remote.root}/{location}")
                except Damage:
                    self._wrong(location).parent.mkdir(parents=True, exist_ok=True)
                    self._wrong(location).touch()  # the ETags told otherwise
                    raise
                self._put(location, draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return copy

    def _put(self, location: str, folder: Path) -> None:
        (self._folder / location).parent.mkdir(parents=True, exist_ok=True)
        put_in_place(folder, self._folder / location)
        self._wrong(location).unlink(missing_ok=True)
        self._whole.add(location)

    def _wrong(self, location: str) -> Path:
        """Is there where the store sent something else than its manifest says."""
        return self._folder / ".wrong" / location.replace("/", "~")

    def _lock(self, location: str) -> Path:
        self._locks.mkdir(parents=True, exist_ok=True)
        return self._locks / f"{self._folder.name}~{location.replace('/', '~')}"


def _beside(name: str, manifest: Manifest) -> bool:
    """Whether a file may lie below an artifact's payload though its manifest does not name it.

    Where there are no parts, as in a local store that was copied, the payload lies beside the
    manifest, and beside uploads that are under way or were killed.
    """
    if manifest.part is not None:
        return False
    part, inside, _ = name.partition("/")
    return name == MANIFEST or bool(inside and PART.fullmatch(part))
