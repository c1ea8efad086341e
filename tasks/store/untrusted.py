"""What others may have written into a store: names, JSON and files, of which nothing is believed.

A store may be shared, so its content is data. Names lead nowhere but into the artifact, JSON is
bounded before and after it is read, links are never followed, and what is no plain file is never
opened: a pipe would wait for ever. A text from a store is printed through `printable` alone.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import stat
from pathlib import Path

from tasks.errors import StepError
from tasks.facts import is_list, is_object

# A manifest names files and inputs, about 250 bytes each: this is more than 60,000 of them. JSON
# takes up to some 20 times its size in memory.
MANIFEST_BYTES = 16 * 2**20
# Ours are nested less than 10 deep, settings with their lists of tables included.
JSON_DEPTH = 64
# Seeds have up to 20 digits; Python would take seconds for a million.
INT_DIGITS = 40
# Of a file name and of a path, on Linux: 255 and 4,096 bytes; an object's name has 1,024.
NAME_BYTES, PATH_BYTES = 255, 1024
# A kind, a key, or the part of an upload.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
# Errors that a malicious or broken layout gives; others say that the disk or our rights are to
# blame, and then nothing may be removed.
_LAYOUT = (
    errno.ENOENT,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENXIO,
    errno.ENODEV,
)


class Damage(StepError):
    """An artifact does not match its manifest; the message names the file, or the field."""

    def __init__(self, text: str) -> None:
        """Escape what a terminal might obey."""
        super().__init__(printable(text))


class Refused(Damage):
    """An artifact that is not taken here, and that no run may remove or replace."""


def printable(text: str) -> str:
    """A text with all that is not printable escaped, line breaks and lone surrogates too."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def is_safe_name(name: str) -> bool:
    """Whether a text may be a kind, a key or a part: one plain name, no link to elsewhere."""
    return _SAFE.fullmatch(name) is not None


def wrong_file_name(name: str) -> str:
    """Why a text cannot be the name of a payload file; empty where it can."""
    if not name or name.startswith("/") or any(p in ("", ".", "..") for p in name.split("/")):
        return "expected a relative path inside the artifact"
    if not name.isprintable() or "\\" in name:
        return "expected printable characters"
    if len(name.encode()) > PATH_BYTES:
        return f"expected at most {PATH_BYTES:,} bytes"
    if any(len(part.encode()) > NAME_BYTES for part in name.split("/")):
        return f"expected parts of at most {NAME_BYTES} bytes"
    return ""


def parse_object(raw: bytes) -> dict[str, object]:
    """A JSON object from bytes that anybody may have written.

    Raises:
        ValueError: it is none, or too large, too deep, or holds what JSON of ours never has.
    """
    if len(raw) > MANIFEST_BYTES:
        raise ValueError(f"more than {MANIFEST_BYTES:,} bytes")
    try:
        found: object = json.loads(raw, parse_int=_int, parse_float=_float, parse_constant=_float)
    except RecursionError:
        raise ValueError(f"nested deeper than {JSON_DEPTH}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    except UnicodeDecodeError:
        raise ValueError("not JSON: no UTF-8") from None
    if not is_object(found):
        raise ValueError("no JSON object")
    _see_depth(found)
    if b"\\u" in raw:
        json.dumps(found, ensure_ascii=False).encode()  # a ValueError: a lone surrogate
    return found


def _see_depth(found: object) -> None:
    level = [found]
    for _ in range(JSON_DEPTH):
        below: list[object] = []
        for one in level:
            inside = one.values() if is_object(one) else one if is_list(one) else ()
            below += [value for value in inside if isinstance(value, dict | list)]
        if not below:
            return
        level = below
    raise ValueError(f"nested deeper than {JSON_DEPTH}")


def _int(text: str) -> int:
    if len(text) > INT_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"the number {text:.40}")
    return found


def read_plain(path: Path, limit: int, name: str) -> bytes | None:
    """Content of a plain file, or None where there is nothing.

    Args:
        limit: Most bytes.
        name: Of the file, for messages.

    Raises:
        Damage: it is no plain file, or a larger one.
    """
    try:
        found = os.lstat(path)
        _see_plain(found, name)
        if found.st_size > limit:
            raise Damage(f"{name} has {found.st_size:,} bytes; expected at most {limit:,}")
        with os.fdopen(_open(path), "rb") as file:
            _see_plain(os.fstat(file.fileno()), name)
            return file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(error, name) from None


def see_folder(path: Path, name: str) -> bool:
    """Whether there is a folder.

    Raises:
        Damage: there is something else, such as a link to one.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unreadable(error, name) from None
    if not stat.S_ISDIR(mode):
        raise Damage(f"{name} is {_sort(mode)}; expected a folder")
    return True


def plain_files(folder: Path, name: str) -> set[str]:
    """Names of all files below a folder, relative to it.

    Raises:
        Damage: something in it is neither a plain file nor a folder.
    """
    found: set[str] = set()
    below = [""]
    try:
        while below:
            prefix = below.pop()
            with os.scandir(folder / prefix) as entries:
                for entry in entries:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    inside = prefix + entry.name
                    if stat.S_ISDIR(mode):
                        below.append(f"{inside}/")
                    else:
                        _see_mode(mode, f"{name}: {inside}")
                        found.add(inside)
    except OSError as error:
        raise unreadable(error, name) from None
    return found


def names_in(folder: Path, *, folders: bool) -> list[str]:
    """Names in a folder, sorted, without those that begin with a dot.

    Args:
        folders: Of real folders alone, which no link is.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                one.name
                for one in entries
                if one.name[0] != "." and (not folders or one.is_dir(follow_symlinks=False))
            )
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def sha256_of_plain(path: Path, size: int, name: str) -> str | None:
    """SHA-256 of a plain file of a size, in hex; None where it has another.

    Raises:
        Damage: it is no plain file, or is not there.
    """
    try:
        _see_plain(os.lstat(path), name)
        with os.fdopen(_open(path), "rb") as file:
            found = os.fstat(file.fileno())
            _see_plain(found, name)
            if found.st_size != size:
                return None
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise Damage(f"{name} is missing") from None
    except OSError as error:
        raise unreadable(error, name) from None


def unreadable(error: OSError, name: str) -> Damage:
    """What an error at reading means: damage by its layout, or a disk that does not let us."""
    why = f"{name} cannot be read ({os.strerror(error.errno or 0)})"
    return Damage(why) if error.errno in _LAYOUT else Refused(why)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _see_plain(found: os.stat_result, name: str) -> None:
    _see_mode(found.st_mode, name)


def _see_mode(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        raise Damage(f"{name} is {_sort(mode)}; expected a plain file")


def _sort(mode: int) -> str:
    for of_it, word in (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISREG, "a file"),
    ):
        if of_it(mode):
            return word
    return "a pipe, socket or device"
