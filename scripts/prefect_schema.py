"""Write down what the installed Prefect's database is made of, for flows/server/new_database.py.

    python scripts/prefect_schema.py

Prefect makes one by its migrations, in a folder that goes again. `make setup` runs this.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from flows.server.new_database import SCHEMA, first_line


def migrated(folder: Path) -> Path:
    """The database in `folder`, made or brought up to date by Prefect's migrations."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
        env={**kept, "PREFECT_HOME": str(folder), "DO_NOT_TRACK": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return folder / "prefect.db"


def schema(path: Path) -> str:
    """All that a database is made of: its tables, its indices, and the revision that it is at.

    Raises:
        ValueError: it has something else, or rows.
    """
    with contextlib.closing(sqlite3.connect(path)) as database:
        made = database.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY type DESC, name"
        ).fetchall()
        if others := {kind for kind, _, _ in made} - {"table", "index"}:
            raise ValueError(f"{path}: has {', '.join(sorted(others))}")
        for name in [name for kind, name, _ in made if kind == "table"]:
            rows = len(database.execute(f'SELECT 1 FROM "{name}"').fetchall())
            if rows != (name == "alembic_version"):
                raise ValueError(f"{path}: table {name} has {rows} rows")
        (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    # As they stand: SQLAlchemy reads a table's constraints from its text, line by line.
    lines = [f"{sql};" for _, _, sql in made]
    return "\n".join([*lines, f"INSERT INTO alembic_version VALUES ('{revision}');"]) + "\n"


def write(place: Path) -> None:
    """Write the file that `make_database` reads."""
    with tempfile.TemporaryDirectory() as folder:
        text = schema(migrated(Path(folder)))
    draft = place.with_suffix(".draft")
    draft.write_text(f"{first_line()}\n{text}", encoding="utf-8")
    draft.rename(place)


if __name__ == "__main__":
    write(SCHEMA)
