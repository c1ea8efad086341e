"""Locks that die with their holder: one run makes an artifact, the others wait and find it.

A lock is a file under `flock` (the library filelock), which the kernel releases however its holder
ends, SIGKILL included; so no lock is ever stale. The file is removed on release; filelock sees when
a file that it has locked stands at no path any more, and takes the new one. Between machines this
holds as far as a shared folder's file system carries `flock`; docs/decisions/0001-locks.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path

from filelock import FileLock, Timeout

# How often one that waits looks again; polling lets a signal end the wait on every file system.
LOCK_POLL_SECONDS = 0.2


@contextlib.contextmanager
def alone(path: Path, waits: Callable[[], None] = lambda: None) -> Generator[None]:
    """Hold the lock at a path for the length of the block.

    Args:
        path: Of the lock file, in a folder that is there.
        waits: Told once, if another holds it.
    """
    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        waits()
        lock.acquire()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock now."""
    if not path.is_file():
        return False
    try:
        with _lock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True


def sweep_locks(folder: Path) -> None:
    """Remove the files of holders that were killed."""
    for path in folder.glob("*"):
        with contextlib.suppress(Timeout), _lock(path).acquire(blocking=False):
            path.unlink(missing_ok=True)


def _lock(path: Path) -> FileLock:
    # A soft lock would be stale after a kill, so a file system without flock is an error.
    return FileLock(path, poll_interval=LOCK_POLL_SECONDS, fallback_to_soft=False)
