"""What the system refused, in one line that helps: a full disk, no more files, no memory.

A full disk shows itself in many ways: an OSError with or without a file's name, the text of a
library in another language, a database that answers no more. So beside the error we look at the
disks themselves.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterable
from pathlib import Path

# A disk with less is full, whatever the error says: SQLite, Parquet and logs want more at once.
_LEAST_BYTES = 1_000_000
_FULL_WORDS = ("No space left on device", "StorageFull", "database or disk is full")
_RESUME = "; the same command resumes it"


def system_error(error: BaseException, places: Iterable[Path]) -> str:
    """The line; empty where the system refused nothing.

    Args:
        error: What was raised, here or in a child process that told us of it.
        places: Folders that are written, the likeliest first; one need not be there.
    """
    number = _number(error)
    named = getattr(error, "filename", None)
    place = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else None
    if number in (errno.EMFILE, errno.ENFILE):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return f"too many open files: a process may have {most} (ulimit -n); raise it{_RESUME}"
    if number == errno.ENOMEM or isinstance(error, MemoryError):
        return f"no memory is left for this ({_text(error)}){_RESUME}"
    if number == errno.EROFS:
        return f"{place or 'a folder'}: its disk is read-only{_RESUME} when it can be written"
    if number == errno.EDQUOT:
        return f"{place or 'a folder'}: your quota of its disk is used up: make room{_RESUME}"
    if number == errno.EIO:
        return f"{place or 'a folder'}: its disk fails (input/output error)"
    looked = [*([place] if place else []), *places]
    full = next(filter(_is_full, looked), None)
    if full is None and number == errno.ENOSPC and looked:
        full = min(looked, key=_free)  # what did not fit was removed meanwhile
    return f"{full}: {_room(full)}: make room{_RESUME}" if full else ""


def _number(error: BaseException) -> int:
    """The error's errno, also of one that was raised while another was handled; 0: it has none."""
    seen = set[int]()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, OSError) and found.errno:
            return found.errno
        if any(word in str(found) for word in _FULL_WORDS):
            return errno.ENOSPC
        if "Too many open files" in str(found):
            return errno.EMFILE
        found = found.__cause__ or found.__context__
    return 0


def _text(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def _is_full(place: Path) -> bool:
    found = _disk(place)
    if found is None:
        return False
    return found.f_bavail * found.f_frsize < _LEAST_BYTES or (
        found.f_files > 0 and not found.f_favail
    )


def _free(place: Path) -> float:
    """Bytes of its disk."""
    found = _disk(place)
    return found.f_bavail * found.f_frsize if found else float("inf")


def _room(place: Path) -> str:
    found = _disk(place)
    if found is None:
        return "no room on its disk"
    if found.f_files > 0 and found.f_favail == 0:
        return f"its disk can take no more files ({found.f_files:,} are there)"
    free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return f"no room on its disk ({free / 1e6:.1f} of {size / 1e6:,.1f} MB are free)"


def _disk(place: Path) -> os.statvfs_result | None:
    """Of the nearest folder above that is there."""
    for one in (place, *place.parents):
        try:
            return os.statvfs(one)
        except OSError:
            continue
    return None
