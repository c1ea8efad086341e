"""What a cleaning finds in a local store, and how it removes it: whole artifacts at a time.

An artifact is renamed into `.trash` and removed there, so that a cleaning that is killed leaves
each artifact whole or not there; the next one removes what it left. No link is followed: one in the
place of an artifact is removed itself, and a kind that is a link is left alone.

Not here: what may be removed (flows/runs/garbage.py), and stores far away
(tasks/store/garbage_far.py).
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tasks.store.manifest import MANIFEST
from tasks.store.quarantine import QUARANTINE, remove_tree, see_names, unlinked

TRASH = ".trash"
# A disk that is told of each freed block answers one such word at a time, but many at once:
# measured, 1,000 artifacts of three files take 18 s one by one, and 0.7 s side by side.
REMOVERS = 32
# Whether something that was written last at this time of the store is old enough to be removed.
IsOld = Callable[[float], bool]


@dataclass(frozen=True)
class About:
    """An artifact as its files say.

    Attributes:
        modified: When the last of them was written, by the store's clock.
        whole: Whether there is a manifest.
    """

    bytes: int
    modified: float
    whole: bool


@dataclass(frozen=True)
class Waste:
    """Something that belongs to no artifact.

    Attributes:
        what: A part of an upload that was killed, a draft of a process that is gone, a damaged
            artifact that was set aside, what a killed cleaning left, or a fine-tune's checkpoints.
        name: Where it lies, relative to the store or to the home.
    """

    what: Literal["upload", "draft", "quarantine", "trash", "checkpoints"]
    name: str
    bytes: int


class Ground(Protocol):
    """What a cleaning works on."""

    def artifacts(self) -> list[str]:
        """All KIND/KEY, sorted, whole or not."""
        ...

    def about(self, location: str) -> About:
        """One of them."""
        ...

    def waste(self, old: IsOld, parts: Mapping[str, str | None]) -> list[Waste]:
        """What is old enough and belongs to no artifact.

        Args:
            parts: Of the artifacts that stay the part that their manifest names, "" where it names
                none, None where there is no manifest.
        """
        ...

    def remove(self, locations: list[str], waste: list[Waste]) -> list[str]:
        """Remove artifacts and waste; what could not be, and why."""
        ...


class LocalGround:
    """A local store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def artifacts(self) -> list[str]:
        """All KIND/KEY, sorted; nothing behind a link."""
        return sorted(
            f"{kind.name}/{one.name}"
            for kind in _folders(self._root)
            for one in os.scandir(kind.path)
            if not one.name.startswith(".") and (one.is_dir() or one.is_symlink())
        )

    def about(self, location: str) -> About:
        """Sizes and times of its files."""
        path = self._root / location
        size, modified = measured(path)
        return About(size, modified, path.is_symlink() or (path / MANIFEST).is_file())

    def waste(self, old: IsOld, parts: Mapping[str, str | None]) -> list[Waste]:
        """Of quarantine and trash; a local store has no uploads."""
        found = [Waste("trash", name, size) for name, size, _ in self._in(TRASH)]
        aside = self._in(QUARANTINE)
        return found + [Waste("quarantine", name, size) for name, size, when in aside if old(when)]

    def remove(self, locations: list[str], waste: list[Waste]) -> list[str]:
        """Rename all into the trash, then empty it."""
        trash, mine = self._root / TRASH, uuid.uuid4().hex[:8]
        left: list[str] = []
        trash.mkdir(exist_ok=True)
        if trash.is_symlink():
            return [f"{trash} is a link; expected a folder"]
        # Strings: a hundred thousand paths take seconds to build.
        root, folder = str(self._root), str(trash)
        for name in [*locations, *(one.name for one in waste if one.what == "quarantine")]:
            try:
                os.rename(f"{root}/{name}", f"{folder}/{mine}~{name.replace('/', '~')}")
            except FileNotFoundError:
                continue
            except OSError as error:
                left.append(f"{name}: {error.strerror or error}")
        left += remove_paths(Path(one.path) for one in os.scandir(trash))
        with contextlib.suppress(OSError):
            trash.rmdir()
        return left

    def _in(self, name: str) -> list[tuple[str, int, float]]:
        """Name, bytes and time of each entry of a folder of the store."""
        folder = self._root / name
        found: list[tuple[str, int, float]] = []
        if folder.is_symlink() or not folder.is_dir():
            return found
        for path in sorted(folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                when = path.lstat().st_mtime
                found.append((f"{name}/{path.name}", measured(path)[0], when))
        return found


def remove_one(root: Path, location: str) -> None:
    """Remove one artifact of a local store, while runs are at work there."""
    see_names(location)
    if unlinked(root, location):
        return
    trash = root / TRASH
    trash.mkdir(exist_ok=True)
    gone = trash / f"{uuid.uuid4().hex[:8]}~{location.replace('/', '~')}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(root / location, gone)
        remove_tree(gone)
    with contextlib.suppress(OSError):
        trash.rmdir()


def measured(path: Path) -> tuple[int, float]:
    """Bytes below a path, and when the last of it was written; no link is followed."""
    try:
        about = path.lstat()
    except FileNotFoundError:
        return 0, 0.0
    size, modified = 0, about.st_mtime
    if not stat.S_ISDIR(about.st_mode):
        return about.st_size, modified
    waiting = [str(path)]
    while waiting:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            for one in os.scandir(waiting.pop()):
                with contextlib.suppress(FileNotFoundError):
                    about = one.stat(follow_symlinks=False)
                    modified = max(modified, about.st_mtime)
                    if one.is_dir(follow_symlinks=False):
                        waiting.append(one.path)
                    else:
                        size += about.st_size
    return size, modified


def old_folders(
    folder: Path, what: Literal["draft", "checkpoints"], old: IsOld, shown: str
) -> list[Waste]:
    """Entries of a folder in which nothing was written for long enough.

    Args:
        shown: What stands before their names.
    """
    found: list[Waste] = []
    for path in sorted(folder.glob("*")) if not folder.is_symlink() else ():
        size, modified = measured(path)
        if old(modified):
            found.append(Waste(what, f"{shown}/{path.name}", size))
    return found


def remove_paths(paths: Iterable[Path]) -> list[str]:
    """Remove folders of this machine; what could not be, and why."""

    def remove(path: Path) -> str:
        try:
            remove_tree(path)
        except OSError as error:
            return f"{path}: {error.strerror or error}"
        return ""

    with ThreadPoolExecutor(REMOVERS) as removers:
        return [failed for failed in removers.map(remove, paths) if failed]


def _folders(root: Path) -> list[os.DirEntry[str]]:
    return [
        one
        for one in os.scandir(root)
        if not one.name.startswith(".") and one.is_dir(follow_symlinks=False)
    ]
