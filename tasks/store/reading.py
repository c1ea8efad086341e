"""Where artifacts lie in a store, and their manifests, which are held against their place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from tasks.store.draft_owner import draft_name
from tasks.store.manifest import MANIFEST, Manifest, check_claims
from tasks.store.read_only import needs_writing
from tasks.store.remote import Remote
from tasks.store.signing import SigningKey
from tasks.store.untrusted import (
    MANIFEST_BYTES,
    Damage,
    is_safe_name,
    names_in,
    printable,
    read_plain,
    see_folder,
)


class Manifests:
    """The manifests of one store, local or far away."""

    def __init__(self, root: str, remote: Remote | None, key: SigningKey | None) -> None:
        """Read nothing yet.

        Args:
            root: Path of the store.
            key: That manifests have to be signed by, if any.
        """
        self._root, self._remote, self._key = root, remote, key

    def manifest(self, kind: str, key: str) -> Manifest | None:
        """The manifest at a place, or None where there is no artifact.

        Raises:
            Refused: it is not signed by the key, or the disk does not let us read it.
            Damage: something else than an artifact of this place is there.
        """
        place = f"{self._root}/{kind}/{key}"
        raw = self.raw(kind, key)
        if raw is None:
            return None
        manifest = Manifest.from_bytes(raw, place, self._key)
        check_claims(manifest, kind, key, place)
        return manifest

    def raw(self, kind: str, key: str) -> bytes | None:
        """The manifest's file as it is; raises as `manifest`."""
        self.see_names(kind, key)
        place = f"artifact {self._root}/{kind}/{key}"
        if self._remote is not None:
            return self._remote.read(f"{kind}/{key}/{MANIFEST}", MANIFEST_BYTES)
        folder = Path(self._root)
        for name in (kind, key):
            folder /= name
            if not see_folder(folder, f"{place}: {name}"):
                return None
        raw = read_plain(folder / MANIFEST, MANIFEST_BYTES, f"{place}: {MANIFEST}")
        if raw is None and folder.is_dir():
            raise Damage(f"{place}: {MANIFEST} is missing")
        return raw

    def replace(self, kind: str, key: str, content: bytes, drafts: Path) -> None:
        """Put another manifest in the place of one that is there.

        Args:
            drafts: Folder of drafts, on the same file system.
        """
        if self._remote is not None:
            self._remote.write(f"{kind}/{key}/{MANIFEST}", content)
            return
        draft = drafts / draft_name(f"{kind}~{key}")
        with needs_writing(self._root):
            drafts.mkdir(exist_ok=True)
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(Path(self._root) / kind / key / MANIFEST)

    def see_names(self, kind: str, key: str) -> None:
        """See that a kind and a key lead to a place in the store.

        Raises:
            Damage: they do not.
        """
        for what, name in (("kind", kind), ("key", key)):
            if not is_safe_name(name):
                place = f"artifact {self._root}/{kind}/{key}"
                raise Damage(f"{place}: {name!r:.200} is no name of a {what}")

    def names(self, kind: str = "") -> list[str]:
        """All kinds, or all keys of one, sorted; of a key, whatever stands there."""
        if self._remote is not None:
            return self._remote.folders(kind)
        return names_in(Path(self._root) / kind, folders=not kind)

    def missing(self, locations: Iterable[str], *, listed: bool = True) -> set[str]:
        """Which of these artifacts, as KIND/KEY, are not there; whether whole is not asked.

        Args:
            listed: Of a store far away, list the kinds; else ask for each artifact.
        """
        wanted = set(locations)
        if self._remote is None:
            root = Path(self._root)
            return {one for one in wanted if not os.path.lexists(root / one / MANIFEST)}
        if not listed:
            paths = {one: f"{one}/{MANIFEST}" for one in wanted}
            return {one for one, path in paths.items() if not self._remote.exists(path)}
        kinds = {one.partition("/")[0] for one in wanted}
        there = {f"{kind}/{key}" for kind in kinds for key in self.names(kind)}
        return wanted - there

    def strange(self) -> list[str]:
        """What stands in the place of a kind of a local store and cannot be read, a line each."""
        if self._remote is not None:
            return []
        said: list[str] = []
        for name in names_in(Path(self._root), folders=False):
            path = Path(self._root) / name
            if path.is_symlink():
                said.append(printable(f"{path} is a link; expected a folder"))
            elif path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
                said.append(printable(f"{path} cannot be read ({os.strerror(errno.EACCES)})"))
        return said
