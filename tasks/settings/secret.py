"""Secrets that are kept in files of one user.

A file is complete and closed to others from its first moment: it is written under another name with
mode 0600 and then linked to its own, which fails where somebody else was first.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

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
        UserError: others may read the file.
    """
    found = read_secret(path)
    if not found:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(path, make())
        try:
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        found = read_secret(path)
    return found


def write_secret(path: Path, text: str) -> None:
    """Replace what a file keeps; a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _draft(path, text).replace(path)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w", encoding="utf-8"
    ) as file:
        os.fchmod(file.fileno(), _MODE)
        file.write(text + "\n")
    return draft
