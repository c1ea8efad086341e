"""Small files that a store holds beside its artifacts: who uses it, and what homes need.

They lie in folders that begin with a dot, which no listing of artifacts shows. Names are relative
to the store, and times are the store's own (a file's mtime, an object's LastModified), so that
machines whose clocks differ agree on an age.
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from tasks.store.remote import STORE_MARK, Remote

# What restem writes is far smaller; what is larger was not written by it and is not read.
MOST_BYTES = 16 * 2**20


class SideFiles(Protocol):
    """The small files of one store."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole.

        Raises:
            OSError: a local store cannot be written.
            UserError: a store far away refuses.
        """
        ...

    def read(self, folder: str) -> dict[str, bytes]:
        """Content of all files below a folder, by name; that of one that is too large is empty."""
        ...

    def times(self, folder: str) -> dict[str, float]:
        """When each file below a folder was written last, by name: Unix time of the store."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is gone already is passed over."""
        ...


class LocalSideFiles:
    """In a local folder; no link is followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its place and rename it."""
        if not (self._root / STORE_MARK).exists():  # an unmounted disk's empty folder
            raise FileNotFoundError(f"{self._root} is no store")
        path = folder = self._root
        for part in Path(name).parent.parts:
            folder = folder / part
            folder.mkdir(exist_ok=True)
            if folder.is_symlink():
                raise NotADirectoryError(f"{folder} is a link")
        path = self._root / name
        draft = path.with_name(f".{path.name}~{uuid.uuid4().hex[:8]}")
        try:
            draft.write_bytes(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def read(self, folder: str) -> dict[str, bytes]:
        """Content of all files below a folder, by name."""
        found: dict[str, bytes] = {}
        for name, about in self._files(folder):
            with contextlib.suppress(FileNotFoundError):
                small = about.st_size <= MOST_BYTES
                found[name] = (self._root / name).read_bytes() if small else b""
        return found

    def times(self, folder: str) -> dict[str, float]:
        """The mtime of each file."""
        return {name: about.st_mtime for name, about in self._files(folder)}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and a folder in a folder that held the last of them."""
        for name in names:
            path = self._root / name
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
            if len(Path(name).parts) > 2:
                with contextlib.suppress(OSError):
                    path.parent.rmdir()

    def _files(self, folder: str) -> list[tuple[str, os.stat_result]]:
        found: list[tuple[str, os.stat_result]] = []
        top = self._root / folder
        for place, _, names in os.walk(top) if not top.is_symlink() else ():
            for name in names:
                path = Path(place) / name
                with contextlib.suppress(OSError):
                    about = path.lstat()
                    if stat.S_ISREG(about.st_mode) and not name.startswith("."):
                        found.append((str(path.relative_to(self._root)), about))
        return sorted(found, key=lambda one: one[0])


class RemoteSideFiles:
    """In a store far away."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in one request where the store has such."""
        self._remote.write(name, content)

    def read(self, folder: str) -> dict[str, bytes]:
        """Content of all files below a folder, by name; many at a time where the store can."""
        objects = self._remote.many.objects(folder)
        small = [name for name, one in objects.items() if one.bytes <= MOST_BYTES]
        large = objects.keys() - set(small)
        return {**dict.fromkeys(large, b""), **self._remote.many.read(small)}

    def times(self, folder: str) -> dict[str, float]:
        """When the store says that each file was written."""
        return {name: one.modified for name, one in self._remote.many.objects(folder).items()}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files."""
        self._remote.many.remove(list(names))
