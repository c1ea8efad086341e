"""The database of a new home, made at once from a written schema.

Prefect builds its own by all migrations that it ever had, which takes five seconds of a core and
most of a first start. What they come to is one and the same for a version of Prefect, so
`make setup` lets them run once and writes it down beside this file (scripts/prefect_schema.py); a
wheel has it too. Prefect finds such a database up to date and goes on as ever. Where nothing was
written, or of another version of Prefect, or anything fails, Prefect's migrations make it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sqlite3
from pathlib import Path

from flows.server.database import BESIDE, database_file

SCHEMA = Path(__file__).with_name("prefect_schema.sql")


def first_line() -> str:
    """What a schema of the installed Prefect begins with."""
    return f"-- Prefect {importlib.metadata.version('prefect')}"


def make_database(schema: Path = SCHEMA) -> bool:
    """Make the database if there is none; whether that was done.

    Only one server runs on a home, so nobody else makes it meanwhile.

    Args:
        schema: Statements of SQLite, below a line with the version of Prefect that they are of.
    """
    path = database_file() if "PREFECT_HOME" in os.environ else None
    if path is None or os.path.lexists(path):
        return False
    draft = path.with_name(f"{path.name}.draft")
    try:
        version, _, statements = schema.read_text("utf-8").partition("\n")
        if version != first_line() or not statements:
            return False
        draft.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(draft)) as database:
            database.executescript(f"BEGIN; {statements} COMMIT;")
        for end in BESIDE:  # of a file that was removed; SQLite would read them into this one
            path.with_name(path.name + end).unlink(missing_ok=True)
        draft.rename(path)
    except (OSError, ValueError, sqlite3.Error):
        with contextlib.suppress(OSError):
            draft.unlink()
        return False
    return True
