"""The file that says that a place is a store, and which one it is.

A store has an id, so that another one, or a new one, at the same address is noticed by those who
remember it (flows/runs/lost_store.py). Stores of older versions have none until a run writes there.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from pathlib import Path

from sandbox.awake import awake
from tasks.durable import make_folders, write_durably
from tasks.errors import StepError, UserError
from tasks.store.locks import LOCK_POLL_SECONDS
from tasks.store.remote import STORE_MARK, Remote
from tasks.store.untrusted import Damage, Refused, read_plain

_BYTES = 4096
_ID = re.compile(r"^id ([0-9a-f]{32})$", re.ASCII | re.MULTILINE)


class StoreMark:
    """The mark of one store; nothing is written until `make`."""

    def __init__(self, root: str, remote: Remote | None, own: Path) -> None:
        """Look at nothing yet.

        Args:
            root: Path of the store.
            remote: Its far side, of a store that is not local.
            own: A folder in which folders of any depth are made; elsewhere a store's parent has
                to be there.
        """
        self._root, self._remote, self._own = Path(root), remote, own
        self._path = self._root / STORE_MARK

    def is_there(self) -> bool:
        """Whether a local store has its mark; one far away is asked by each request anyway."""
        return self._remote is not None or self._path.exists()

    def found(self) -> str | None:
        """The store's id; empty where it has none yet; None where there is no store.

        Raises:
            UserError: that may not be read.
        """
        try:
            if self._remote is not None:
                raw = self._remote.read(STORE_MARK, _BYTES)
            elif self._root.is_dir():
                raw = read_plain(self._path, _BYTES, str(self._path))
            else:
                raw = None
        except Refused as refused:
            raise UserError(f"resources.store: {refused}") from None
        except Damage:
            return ""
        if raw is None:
            return None
        known = _ID.search(raw.decode(errors="replace"))
        return known[1] if known else ""

    def wait(self, seconds: float) -> None:
        """Wait until a local store is back that was there before.

        Raises:
            StepError: it stays away.
        """
        deadline = awake() + seconds
        while not self.is_there():
            if awake() > deadline:
                raise StepError(
                    f"the store {self._root} is gone since {seconds:.0f} s (is its disk "
                    "mounted?); the same command resumes the run when it is back"
                )
            time.sleep(LOCK_POLL_SECONDS)

    def make(self) -> None:
        """See that there is a store with an id, as far as one may write there.

        Raises:
            UserError: there is none, and none can be made.
        """
        known = self.found()
        if known:
            return
        content = f"An artifact store of restem.\nid {uuid.uuid4().hex}\n".encode()
        if self._remote is not None:
            with contextlib.suppress(*[UserError] if known is not None else []):
                self._remote.write(STORE_MARK, content)
            return
        try:
            self._write(content)
        except OSError as error:
            if known is None:
                raise UserError(
                    f"resources.store: {self._root}: no store can be made there "
                    f"({os.strerror(error.errno or 0)}); expected a folder that one may write"
                ) from None

    def _write(self, content: bytes) -> None:
        if not self._root.is_dir():
            ours = self._root.is_relative_to(self._own)
            if not ours and not self._root.parent.is_dir():
                raise UserError(
                    f"resources.store: {self._root}: there is no folder {self._root.parent}; "
                    "expected the address of a store, or of a new one in a folder that is there"
                )
            make_folders(self._root)
        write_durably(self._path, content)
