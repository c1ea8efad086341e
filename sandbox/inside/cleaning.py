"""Removing what a program leaves in the scratch folder, whatever it is."""

from __future__ import annotations

import contextlib
import os

from sandbox.inside.program import HOME, SCRATCH


def remove_files(uid: int) -> bool:
    """Remove the files of a program that has ended; whether none is left."""
    with contextlib.suppress(OSError):
        os.rmdir(HOME)  # few programs leave anything in it
    if not os.listdir(SCRATCH):
        return True
    pid = os.fork()
    if pid == 0:
        try:
            clear(uid)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return not os.listdir(SCRATCH)


def clear(uid: int) -> None:
    """Remove all files, as their owner: what is in a sticky folder may not even root remove.

    Folders in folders are moved up first, so that no depth of them is too much.
    """
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    pending, moved = [f"{SCRATCH}/{name}" for name in os.listdir(SCRATCH)], 0
    while pending:
        path = pending.pop()
        try:
            os.unlink(path)
        except IsADirectoryError:
            os.chmod(path, 0o700)
            for name in os.listdir(path):
                inner = f"{path}/{name}"
                if os.path.isdir(inner) and not os.path.islink(inner):
                    os.chmod(inner, 0o700)  # else it could not be moved
                while os.path.lexists(up := f"{SCRATCH}/{moved}"):
                    moved += 1
                os.rename(inner, up)
                pending.append(up)
            os.rmdir(path)
