"""A new home's database is what Prefect's migrations would have made of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from flows.server.database import FILE, check
from flows.server.new_database import SCHEMA, first_line, make_database
from scripts.prefect_schema import migrated, schema, write

SMALL = f"""{first_line()}
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL
);
CREATE INDEX one ON alembic_version (version_num);
INSERT INTO alembic_version VALUES ('27d8f4e1a6c9');
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a server's database will lie."""
    folder = tmp_path / "prefect"
    folder.mkdir()
    monkeypatch.setenv("PREFECT_HOME", str(folder))
    return folder / FILE


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A schema of the installed Prefect's version."""
    file = tmp_path / "small.sql"
    file.write_text(SMALL, encoding="utf-8")
    return file


def _statements(text: str) -> list[list[str]]:
    """Each with its lines in order of letters: migrations leave constraints in a set's order."""
    return [sorted(line.strip(" \t,") for line in one.split("\n")) for one in text.split(";\n")]


@pytest.mark.slow
def test_it_is_what_the_migrations_leave_and_they_find_nothing_to_do(
    path: Path, tmp_path: Path
) -> None:
    written = tmp_path / "written.sql"
    write(written)
    assert make_database(written)
    made = schema(path)
    assert written.read_text("utf-8") == f"{first_line()}\n{made}"
    assert schema(migrated(path.parent)) == made
    assert _statements(made) == _statements(schema(migrated(tmp_path)))
    check(path, serving=True)
    # What `make setup` wrote into this checkout.
    assert _statements(SCHEMA.read_text("utf-8")) == _statements(written.read_text("utf-8"))


def test_it_is_made_where_there_is_none(path: Path, small: Path) -> None:
    assert make_database(small)
    assert f"{first_line()}\n{schema(path)}" == SMALL
    assert [file.name for file in path.parent.iterdir()] == [FILE]
    check(path, serving=True)


def test_one_that_is_there_is_left(path: Path, small: Path) -> None:
    path.write_bytes(b"somebody's")
    assert not make_database(small)
    assert path.read_bytes() == b"somebody's"


def test_a_link_is_left(path: Path, small: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere.db")
    assert not make_database(small)
    assert path.is_symlink()


def test_without_a_schema_it_is_left_to_prefect(path: Path, tmp_path: Path) -> None:
    assert not make_database(tmp_path / "none.sql")
    assert not path.exists()


@pytest.mark.parametrize("text", ["-- Prefect 3.0.0\nCREATE TABLE a (b);\n", "", first_line()])
def test_a_schema_of_another_version_is_not_used(path: Path, small: Path, text: str) -> None:
    small.write_text(text, encoding="utf-8")
    assert not make_database(small)
    assert not path.exists()


def test_half_a_schema_leaves_nothing(path: Path, small: Path) -> None:
    small.write_text(f"{first_line()}\nCREATE TABLE a (b);\nCREATE TABLE a (b);\n", "utf-8")
    assert not make_database(small)
    small.write_bytes(b"\xff")  # no text
    assert not make_database(small)
    assert list(path.parent.iterdir()) == []


def test_a_database_elsewhere_is_not_made(
    path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://a/b")
    assert not make_database(small)
    assert not path.exists()


def test_it_is_not_made_over_half_a_draft(path: Path, small: Path) -> None:
    with sqlite3.connect(path.with_name(f"{FILE}.draft")) as left:
        left.execute("CREATE TABLE alembic_version (half)")
    left.close()
    assert make_database(small)
    check(path, serving=True)


def test_what_a_removed_one_had_not_yet_taken_in_does_not_come_back(
    path: Path, small: Path
) -> None:
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.execute("CREATE TABLE of_the_old (one INTEGER)")
        old.commit()
        left = path.with_name(f"{FILE}-wal").read_bytes()
    old.close()
    path.unlink()
    path.with_name(f"{FILE}-wal").write_bytes(left)
    assert make_database(small)
    assert f"{first_line()}\n{schema(path)}" == SMALL
