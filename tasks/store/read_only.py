"""A store that may be read and not written: what needs writing is refused in one line."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Generator
from pathlib import Path

from tasks.errors import UserError

_REFUSALS = (errno.EROFS, errno.EACCES, errno.EPERM)


def see_writable(folder: Path) -> None:
    """See that files may be made in a folder.

    Raises:
        PermissionError: they may not.
    """
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextlib.contextmanager
def needs_writing(store: str) -> Generator[None]:
    """Run a block that writes into a local store.

    Raises:
        UserError: that is not allowed.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        raise UserError(
            f"resources.store: {store}: it can be read but not written "
            f"({os.strerror(error.errno)}), and there is something to write; expected a store "
            "where one may write"
        ) from None
