"""The server's database: what is damaged is moved aside and said, what is not stays where it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.server.database import FILE, is_damaged, mend_database
from flows.server.local import prefect_environment
from tasks.errors import UserError


@pytest.fixture
def path(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small database as Prefect would leave it, with a table of several pages."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(home / "prefect"))
    prefect_environment()
    path = home / "prefect" / FILE
    _write(path, "27d8f4e1a6c9")
    return path


def _write(path: Path, revision: str | None) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        if revision is not None:
            database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
            database.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        database.execute("CREATE TABLE flow_run (name)")
        rows = [("x" * 900,) for _ in range(400)]
        database.executemany("INSERT INTO flow_run VALUES (?)", rows)
    database.close()


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _random(path: Path) -> None:
    path.write_bytes(os.urandom(100_000))


def _random_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(200_000))


def _text(path: Path) -> None:
    path.write_bytes(b"no database\n" * 1000)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").write_text("x", encoding="utf-8")


def _link_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _other(path: Path) -> None:
    path.unlink()
    _write(path, None)


@pytest.mark.parametrize(
    "damage",
    [_truncated, _random, _random_middle, _text, _folder, _link_loop, _pipe, _other],
)
def test_a_damaged_one_is_moved_aside_and_said(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    beside = path.with_name(FILE + "-wal")
    beside.write_bytes(b"of the old one")
    assert is_damaged(path)
    said = mend_database()
    assert said.startswith(f"{path}: damaged (")
    assert "\n" not in said
    assert not os.path.lexists(path)
    assert not beside.exists()
    assert len(list(path.parent.glob(f"{FILE}.damaged-*"))) >= 1
    assert mend_database() == ""


def test_one_that_vanished_below_its_server_is_damaged(path: Path) -> None:
    assert not is_damaged(path)
    path.unlink()
    assert is_damaged(path)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_one_that_a_server_made_empty_in_its_place_is_damaged(path: Path, mode: str) -> None:
    path.unlink()
    made = sqlite3.connect(path)
    made.execute(f"PRAGMA journal_mode = {mode}")
    assert is_damaged(path)
    made.close()
    assert is_damaged(path)
    assert mend_database() == ""


@pytest.mark.parametrize("size", [None, 0])
def test_a_missing_or_empty_one_is_as_good_as_new(path: Path, size: int | None) -> None:
    path.unlink()
    if size is not None:
        path.write_bytes(b"")
    assert mend_database() == ""


def test_a_whole_one_stays(path: Path) -> None:
    before = path.read_bytes()
    assert mend_database() == ""
    assert path.read_bytes() == before


def test_one_of_a_newer_prefect_stays_and_it_is_said_what_to_do(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    database.close()
    with pytest.raises(UserError, match=r"made by a newer Prefect .*fedcba987654.* move the file"):
        mend_database()
    assert path.exists()


def test_one_that_is_locked_stays_and_the_process_is_named(path: Path) -> None:
    code = (
        "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "d.execute('BEGIN EXCLUSIVE'); print(1, flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout and holder.stdout.readline()
        with pytest.raises(UserError, match=rf"locked by process {holder.pid}: end it"):
            mend_database(0.2)
        assert not is_damaged(path)
    finally:
        holder.communicate()
    assert mend_database() == ""


def test_a_database_of_ones_own_is_not_looked_at(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://x/y")
    _random(path)
    assert mend_database() == ""


@pytest.mark.parametrize("name", ["a b", "[x] *", "100%", "%41", "what?", "a#b", "ü", "a'b\"c"])
def test_a_path_of_any_name(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    other = tmp_path / name
    other.mkdir()
    shutil.copy(path, other / FILE)
    monkeypatch.setenv("PREFECT_HOME", str(other))
    assert mend_database() == ""
    _random(other / FILE)
    assert mend_database() != ""
