"""Secrets that are kept in files of one user.

A file is complete and closed to others from its first moment, after a power cut too: it is written
under another name with mode 0600 and then linked to its own, which fails where somebody else was
first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from tasks.durable import make_folders, write_durably
from tasks.errors import UserError

_MODE = 0o600


def read_secret(path: Path) -> str:
    """What a file keeps; empty where there is none.

    Raises:
        UserError: others may read it, so it is a secret no more.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            text = file.read().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a secret of yours") from None
    if mode & 0o077:
        raise UserError(
            f"{path}: others may read it (mode {mode:o}); remove it, and a new one is made"
        )
    return text


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """What a file keeps; a first call makes it.

    Args:
        path: Of the file; its folder is made if missing.
        make: Gives a new secret.

    Raises:
        UserError: others may read the file, or it is empty.
    """
    found = read_secret(path)
    if not found:
        make_folders(path.parent)
        with contextlib.suppress(FileExistsError):
            write_durably(path, make() + "\n", mode=_MODE, new=True)
        found = read_secret(path)
    if not found:
        raise UserError(f"{path}: it is empty; remove it, and a new one is made")
    return found


def write_secret(path: Path, text: str) -> None:
    """Replace what a file keeps; a reader sees the old text or the new one."""
    make_folders(path.parent)
    write_durably(path, text + "\n", mode=_MODE)
