"""RESTEM_HOME/hosted/answers.sqlite: every answer of a hosted model, written as soon as it came.

What was paid for is paid once: a shard that was killed, cut otherwise or built again finds here
what was answered before. An answer is kept under a digest of all that was asked: model, address,
messages, settings, seed. It is left out of the store on purpose, for there artifacts are whole or
not there at all. `asked` (Unix time) and `model` are for people.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.durable import make_folders
from tasks.errors import StepError
from tasks.generate.hosted.chat import Answer

FILE = "answers.sqlite"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS answers (digest TEXT PRIMARY KEY, text TEXT NOT NULL, "
    "finish TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, "
    "model TEXT NOT NULL, asked REAL NOT NULL) WITHOUT ROWID"
)
# Another process may be writing; nobody writes for long.
_BUSY_SECONDS = 60.0
# Digests in one question; SQLite's own bound on variables was 999 for long.
_AT_ONCE = 500


class Answers:
    """The file, for several threads and processes at once."""

    def __init__(self, path: Path, model: str) -> None:
        """Open it; it is made if missing.

        Args:
            path: Of the file.
            model: Whose answers are written.

        Raises:
            StepError: it is damaged.
        """
        self._path, self._model = path, model
        self._lock = threading.Lock()
        make_folders(path.parent, mode=0o700)
        with self._using():
            self._file = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode=WAL")
            # An answer that was paid for outlives a loss of power too, whatever RESTEM_SYNC says.
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.execute("PRAGMA fullfsync=ON")  # of macOS
            with self._file:
                self._file.execute(_TABLE)

    def find(self, digests: Iterable[str]) -> dict[str, Answer]:
        """Those of the answers that are there, by digest."""
        asked, found = list(digests), {}
        for start in range(0, len(asked), _AT_ONCE):
            part = asked[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            columns = "digest, text, finish, tokens_in, tokens_out"
            select = f"SELECT {columns} FROM answers WHERE digest IN ({marks})"
            with self._using():
                rows = self._file.execute(select, part).fetchall()
            found |= {digest: Answer(*rest) for digest, *rest in rows}
        return found

    def keep(self, digest: str, answer: Answer) -> None:
        """Write an answer; it is on disk when this returns."""
        row = (digest, answer.text, answer.finish, answer.tokens_in, answer.tokens_out)
        with self._using(), self._file:
            self._file.execute(
                "INSERT OR IGNORE INTO answers VALUES (?,?,?,?,?,?,?)",
                (*row, self._model, time.time()),
            )

    @contextlib.contextmanager
    def _using(self) -> Iterator[None]:
        """One thread at a time.

        Raises:
            StepError: the file is damaged, or there is no room for it.
        """
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise StepError(
                f"{self._path}: {error}; where it is damaged, move it away, and a new one is made"
            ) from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()
