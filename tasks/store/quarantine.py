"""Where damaged artifacts are put, so that a person can look at them before they go.

In a local store the folder itself is renamed to `.quarantine/KIND~KEY~TIME`. Far away nothing is
moved: the manifest goes to `.quarantine/KIND~KEY~TIME.json`, and the payload stays in its part,
which then belongs to no artifact (tasks/store/remote.py). `restem store gc` removes both when they
are old enough. What cannot be moved is removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
import uuid
from pathlib import Path

from tasks.store.remote import Remote
from tasks.store.untrusted import MANIFEST_BYTES

QUARANTINE = ".quarantine"


def quarantine_name(location: str) -> str:
    """The name of something set aside now; never one that there is."""
    return f"{location.replace('/', '~')}~{int(time.time())}-{uuid.uuid4().hex[:4]}"


def set_aside(root: Path, location: str) -> None:
    """Move an artifact of a local store into its quarantine, or remove it where that cannot be."""
    place = root / location
    see_names(location)
    if unlinked(root, location):
        return
    folder = root / QUARANTINE
    target = folder / quarantine_name(location)
    with contextlib.suppress(FileNotFoundError):
        try:
            folder.mkdir(exist_ok=True)
            if folder.is_symlink():
                raise NotADirectoryError(folder)
            os.rename(place, target)
        except FileNotFoundError:
            raise
        except OSError:
            remove_tree(place)
        else:
            os.utime(target, follow_symlinks=False)  # its age counts from now


def set_aside_far(remote: Remote, location: str, manifest: str, seen: bytes) -> None:
    """Take the manifest of a damaged artifact away, unless another machine has put a new one there.

    Args:
        manifest: Name of the file in the artifact's folder.
        seen: Content of the damaged artifact's manifest.
    """
    name = f"{location}/{manifest}"
    if remote.read(name, MANIFEST_BYTES) == seen:
        remote.write(f"{QUARANTINE}/{quarantine_name(location)}.json", seen)
        remote.many.remove([name])


def see_names(location: str) -> None:
    """See that KIND/KEY leads to a place in the store.

    Raises:
        ValueError: it does not.
    """
    kind, _, key = location.partition("/")
    for name in (kind, key):
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError(f"{name!r} is no name in a store")


def unlinked(root: Path, location: str) -> bool:
    """Remove a link, or a file, that stands where a kind's folder should; whether one did."""
    kind = root / location.partition("/")[0]
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(kind.lstat().st_mode):
            kind.unlink()
            return True
    return False


def remove_tree(path: Path) -> None:
    """Remove a folder or a file; a link is removed, and not what it leads to."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
