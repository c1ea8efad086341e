"""The SQLite file of a home's own Prefect server, looked at before each start of the server.

It holds what Prefect's UI shows of past runs, and what `restem up` registers. Artifacts, reports
and the cache do not need it: the store has the truth. So a damaged file is moved aside and the
server makes a new one. A file that a newer Prefect made is whole, and left where it is, as is one
that another process has locked.

Not covered: a database of one's own (PREFECT_API_DATABASE_CONNECTION_URL and the like).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from tasks.errors import UserError

FILE = "prefect.db"
# SQLite's own, which belong to one database and would damage another of the same name.
BESIDE = ("-wal", "-shm", "-journal")
_SETTINGS = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
_PLACES = ("CONNECTION_URL", "DRIVER", "HOST", "NAME")
_URL = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
# A gigabyte is read in about two seconds; what is not read by then is taken for sound.
_LOOK_SECONDS = 5.0
# Another writer needs milliseconds, or a few seconds on a slow disk.
_LOCK_SECONDS = 10.0
_STEPS = 20_000  # of SQLite's machine, between two looks at the clock
_MAGIC = b"SQLite format 3\0"
# Read whole at each look below a living server; of a larger one the first bytes must do.
_SMALL_BYTES = 64_000_000
_CONTENT = "artifacts, reports and the cache do not need it"


class Damaged(Exception):
    """The file is no database that the server could open; the text says why."""


def database_file() -> Path | None:
    """Where the server's SQLite file lies; None if the operator named a database."""
    given = [name for name in os.environ if name.startswith(_SETTINGS) and name.endswith(_PLACES)]
    path = Path(os.environ["PREFECT_HOME"]) / FILE
    return path if not given or os.environ.get(_URL) == _address(path) else None


def database_address() -> dict[str, str]:
    """What the server's environment needs where the path has characters that a URL reads."""
    path = database_file()
    return {_URL: _address(path)} if path and set("%?") & set(str(path)) else {}


def _address(path: Path) -> str:
    return f"sqlite+aiosqlite:///{quote(str(path))}"


def mend_database(seconds: float = _LOCK_SECONDS) -> str:
    """Move a damaged database aside; what was done, in a line, or nothing.

    No server may run on it. `prefect_environment` has run before.

    Args:
        seconds: How long to wait for another process that writes.

    Raises:
        UserError: it cannot be used and is not damaged: made by a newer Prefect, locked, or not
            ours to read. The line says what to do.
    """
    path = database_file()
    if path is None:
        return ""
    try:
        check(path, seconds)
    except Damaged as damage:
        aside = path.with_name(f"{FILE}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        for end in ("", *BESIDE):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(FILE + end).rename(aside.with_name(aside.name + end))
        return (
            f"{path}: damaged ({damage}); moved to {aside.name}, and a new one is made: Prefect's "
            f"UI has lost its past runs ({_CONTENT})"
        )
    return ""


def is_damaged(path: Path) -> bool:
    """Whether the database of a server that answers is damaged, gone, or one without a table.

    The server may not notice for long: what it has read, it keeps in memory, and a file that was
    removed it keeps open. Its next connection makes an empty file in its place.
    """
    try:
        if not path.exists():
            return True
        if path.stat().st_size <= _SMALL_BYTES:
            check(path, _LOCK_SECONDS, serving=True)
        elif path.is_file():
            with path.open("rb") as file:
                return file.read(len(_MAGIC)) != _MAGIC
    except Damaged:
        return True
    except (UserError, OSError):
        pass  # busy, or the disk's trouble
    return False


def check(path: Path, seconds: float = _LOCK_SECONDS, *, serving: bool = False) -> None:
    """Look at a database, whether or not a server runs on it.

    Args:
        path: Of the file.
        seconds: How long to wait for another process.
        serving: A server answers from it, so it has tables. Else it may be new, and one must be
            able to write.

    Raises:
        Damaged: it is none.
        UserError: as `mend_database`.
    """
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:  # a link to itself
        raise Damaged(error.strerror) from None
    if not stat.S_ISREG(kind):
        raise Damaged("a folder" if stat.S_ISDIR(kind) else "no file")
    try:
        with contextlib.closing(_open(path, seconds)) as database:
            revisions = _read(database, serving)
    except sqlite3.OperationalError as error:
        _refuse(path, error)
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error)) from None
    newer = [one for one in revisions if not _known(one)]
    if newer:
        version = importlib.metadata.version("prefect")
        raise UserError(
            f"{path}: made by a newer Prefect than this one, {version} (its revision {newer[0]} is "
            f"not known here): use the newer one, or move the file away ({_CONTENT})"
        )


def _open(path: Path, seconds: float) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=seconds, isolation_level=None)


def _read(database: sqlite3.Connection, serving: bool) -> list[str]:
    """The revisions of the schema, none in a new file; raises `Damaged` or sqlite3's errors."""
    deadline = time.monotonic() + _LOOK_SECONDS
    if not serving:  # as a writer takes; the server would wait for it in vain
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    if not tables:
        if serving:
            raise Damaged("without a table")
        return []
    if "alembic_version" not in tables:
        raise Damaged("not Prefect's")
    found = [str(one) for (one,) in database.execute("SELECT version_num FROM alembic_version")]
    if not found and len(tables) > 1:
        raise Damaged("without a version")
    database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    with _unless_late(deadline):
        (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise Damaged(" ".join(str(said).split()))
    return found


@contextlib.contextmanager
def _unless_late(deadline: float) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError:
        if time.monotonic() <= deadline:
            raise


def _refuse(path: Path, error: sqlite3.OperationalError) -> NoReturn:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        holders = _holders(path)
        who = f"process {', '.join(holders)}" if holders else "a process that is not seen from here"
        raise UserError(
            f"{path}: locked by {who}: end it, or move the file away ({_CONTENT})"
        ) from None
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        raise Damaged(str(error)) from None
    raise UserError(f"{path}: {error}; expected a file of yours that can be written") from None


def _holders(path: Path) -> list[str]:
    """Ids of the processes that hold a lock on the database."""
    inodes = set()
    for end in ("", *BESIDE):
        with contextlib.suppress(OSError):
            inodes.add(str(path.with_name(path.name + end).stat().st_ino))
    with contextlib.suppress(OSError):
        lines = [line.split() for line in Path("/proc/locks").read_text("ascii").splitlines()]
        # 1: POSIX ADVISORY WRITE 4711 fd:01:131090 128 128, with -> before those that wait
        held = [line for line in lines if line[1] != "->" and line[5].split(":")[-1] in inodes]
        return sorted({line[4] for line in held} - {str(os.getpid()), "-1", "0"})
    return []


def _known(revision: str) -> bool:
    """Whether the installed Prefect has this revision of the schema."""
    spec = importlib.util.find_spec("prefect")
    if spec is None or spec.origin is None:
        return True
    versions = Path(spec.origin).parent / "server/database/_migrations/versions/sqlite"
    # A file's name tells its revision for most of them; its text for all.
    line = re.compile(rf"^revision\b.*['\"]{re.escape(revision)}['\"]", re.MULTILINE)
    files = sorted(versions.glob("*.py"), key=lambda file: revision not in file.name)
    return any(line.search(file.read_text("utf-8")) for file in files)
