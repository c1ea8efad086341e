"""Locks that die with their holder: one run makes an artifact, the others wait and find it.

A lock is an open file under `flock`, which the kernel releases however its holder ends, SIGKILL
included; so no lock is ever stale. The file is removed on release, hence the look whether the
locked file is still the one at the path. On a shared folder this holds between machines as far as
its file system carries `flock` (NFS from version 4 does).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# How often one that waits looks again; polling lets a signal end the wait on every file system.
POLL_SECONDS = 0.2


@contextlib.contextmanager
def alone(path: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock at a path for the length of the block.

    Args:
        path: Of the lock file, in a folder that is there.
        waits: Told once, if another holds it.
    """
    fd, told = _take(path), False
    while fd is None:
        if not told:
            waits()
            told = True
        time.sleep(POLL_SECONDS)
        fd = _take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock now."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def sweep(folder: Path) -> None:
    """Remove the files of holders that were killed."""
    for path in folder.glob("*"):
        if (fd := _take(path)) is not None:
            path.unlink(missing_ok=True)
            os.close(fd)


def _take(path: Path) -> int | None:
    """The descriptor of the locked file, or None if another holds it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_ino == os.stat(path).st_ino:
                return fd
        except BlockingIOError:
            os.close(fd)
            return None
        except FileNotFoundError:
            pass  # its last holder removed it between our two calls
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
