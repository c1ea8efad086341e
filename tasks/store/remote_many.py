"""Many files of a store far away in few requests: listed with their times, read, removed.

fsspec takes a list of names for patterns where one looks like it; such lists go one by one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from glob import has_magic
from typing import Any, TypeVar

from tasks.rows import Json

# What file systems call the time at which an object was written.
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
# S3 takes so many names in one request to delete.
_AT_ONCE = 1000
_T = TypeVar("_T")


@dataclass(frozen=True)
class StoredObject:
    """What a store says of a file.

    Attributes:
        modified: Unix time of the store's clock; infinite where it says none, so that it is never
            old enough to be removed.
    """

    bytes: int
    modified: float


class ManyFiles:
    """The files below a root."""

    def __init__(self, fs: Any, root: str, wait: Callable[[Callable[[], Any]], Any]) -> None:
        """Use a file system of fsspec; `wait` asks it as long as it is away."""
        self._fs, self._root, self._wait = fs, root, wait
        self._ahead: dict[str, bytes] = {}

    def objects(self, place: str = "") -> dict[str, StoredObject]:
        """All files below a place, by their names below the root."""
        base = f"{self._root}/{place}".rstrip("/")
        found: dict[str, Json] = self._asked(lambda: self._fs.find(base, detail=True))
        start = len(self._root.lstrip("/")) + 1
        return {
            path.lstrip("/")[start:]: StoredObject(int(info.get("size") or 0), _modified(info))
            for path, info in found.items()
        }

    def read(self, names: list[str]) -> dict[str, bytes]:
        """Contents of small files; one that is not there is left out."""
        found: dict[str, bytes] = {}
        for chunk in _chunks(names):
            paths = {f"{self._root}/{name}".lstrip("/"): name for name in chunk}
            got = self._cat([f"{self._root}/{name}" for name in chunk])
            found |= {paths[path.lstrip("/")]: raw for path, raw in got.items()}
        return found

    def read_ahead(self, names: list[str]) -> None:
        """Read what will be asked for soon, each once."""
        self._ahead |= self.read(names)

    def taken(self, name: str) -> bytes | None:
        """What was read ahead, if it was."""
        return self._ahead.pop(name, None)

    def remove(self, names: list[str]) -> None:
        """Remove files; one that is gone is passed over."""
        for chunk in _chunks(names):
            paths = [f"{self._root}/{name}" for name in chunk]
            if not any(map(has_magic, paths)):
                with contextlib.suppress(FileNotFoundError):
                    self._asked(lambda paths=paths: self._fs.rm(paths))
                    continue
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    self._asked(lambda path=path: self._fs.rm_file(path))

    def _cat(self, paths: list[str]) -> dict[str, bytes]:
        got: dict[str, bytes | Exception]
        if any(map(has_magic, paths)):
            got = {}
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    got[path] = self._asked(lambda path=path: self._fs.cat_file(path))
        else:
            got = self._asked(lambda: _whole(self._fs.cat(paths, on_error="return")))
        return {path: raw for path, raw in got.items() if isinstance(raw, bytes)}

    def _asked(self, ask: Callable[[], _T]) -> _T:
        return self._wait(ask)


def _chunks(names: list[str]) -> list[list[str]]:
    return [names[begin : begin + _AT_ONCE] for begin in range(0, len(names), _AT_ONCE)]


def _whole(got: dict[str, bytes | Exception]) -> dict[str, bytes | Exception]:
    """The answers, unless one of them says more than that a file is missing."""
    for answer in got.values():
        if isinstance(answer, Exception) and not isinstance(answer, FileNotFoundError):
            raise answer
    return got


def _modified(info: Json) -> float:
    """When a store says that an object was written, as Unix time."""
    said: object = next((info[name] for name in _TIMES if info.get(name)), None)
    if isinstance(said, str):
        with contextlib.suppress(ValueError):
            said = datetime.fromisoformat(said)
    if isinstance(said, datetime):
        return said.timestamp()
    return float(said) if isinstance(said, int | float) else float("inf")
