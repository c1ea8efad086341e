"""A new home's database is what Prefect's migrations would have made of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from flows.server.database import FILE, check
from flows.server.new_database import SCHEMA, first_line, make_database
from scripts.prefect_schema import migrated, schema


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a server's database will lie."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    return tmp_path / FILE


def _statements(text: str) -> list[list[str]]:
    """Each with its lines in order of letters: migrations leave constraints in a set's order."""
    return [sorted(line.strip(" \t,") for line in one.split("\n")) for one in text.split(";\n")]


@pytest.mark.slow
def test_the_written_schema_is_what_the_migrations_leave(tmp_path: Path) -> None:
    written = SCHEMA.read_text("utf-8").removeprefix(f"{first_line()}\n")
    assert _statements(written) == _statements(schema(migrated(tmp_path)))


def test_it_is_made_where_there_is_none(path: Path) -> None:
    assert make_database()
    assert f"{first_line()}\n{schema(path)}" == SCHEMA.read_text("utf-8")
    assert [file.name for file in path.parent.iterdir()] == [FILE]
    check(path)
    check(path, serving=True)


def test_one_that_is_there_is_left(path: Path) -> None:
    path.write_bytes(b"somebody's")
    assert not make_database()
    assert path.read_bytes() == b"somebody's"


def test_a_link_is_left(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere.db")
    assert not make_database()
    assert path.is_symlink()


@pytest.mark.parametrize("text", ["-- Prefect 3.0.0\nCREATE TABLE a (b);\n", ""])
def test_a_schema_of_another_version_is_not_used(path: Path, tmp_path: Path, text: str) -> None:
    other = tmp_path / "other.sql"
    other.write_text(text, encoding="utf-8")
    assert not make_database(other)
    assert not path.exists()


def test_half_a_schema_leaves_nothing(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sql"
    other.write_text(f"{first_line()}\nCREATE TABLE a (b);\nCREATE TABLE a (b);\n", "utf-8")
    assert not make_database(other)
    assert [file.name for file in tmp_path.iterdir()] == ["other.sql"]


def test_a_database_elsewhere_is_not_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://a/b")
    assert not make_database()
    assert not path.exists()


def test_it_is_not_made_over_half_a_draft(path: Path) -> None:
    with sqlite3.connect(path.with_name(f"{FILE}.draft")) as left:
        left.execute("CREATE TABLE agent (half)")
    left.close()
    assert make_database()
    check(path, serving=True)
