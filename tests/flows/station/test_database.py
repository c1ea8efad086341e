"""The station's database is damaged, below a living server or a station that is down."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.server.database import FILE
from flows.station.deployments import is_closed
from tests.flows.station.conftest import Station, until
from tests.ports import free_port
from tests.small import TINY


@pytest.fixture(autouse=True)
def up_again(station: Station) -> Iterator[None]:
    """A test that failed on its way takes no other file's tests with it."""
    yield
    if not station.processes():
        station.up()


def _damage(station: Station) -> Path:
    path = station.home / "prefect" / FILE
    path.write_bytes(os.urandom(200_000))
    return path


def _aside(station: Station) -> set[Path]:
    return set((station.home / "prefect").glob(f"{FILE}.damaged-*"))


def registered_again(station: Station) -> None:
    """Until the new database has the deployments and our pool, not one that the worker made."""
    until(lambda: station.deployment("rest-em/math-demo"))
    until(lambda: station.api.get("/work_pools/restem")["concurrency_limit"] == 1)
    assert is_closed(station.api.get("/work_pools/restem")["base_job_template"])


def test_damaged_while_down_it_is_said_and_made_anew(station: Station) -> None:
    station.command("down")
    path = _damage(station)
    ports = ("--port", str(station.port), "--pages", str(station.pages), "--no-browser")
    done = station.command("up", *ports)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"restem: {path}: damaged (")
    assert done.stderr.count("\n") == 1
    assert station.note()["restarts"]["server"] == 0
    station.wait_for(station.start(*TINY), "COMPLETED")


def test_damaged_under_a_living_server_it_is_made_anew(station: Station) -> None:
    before = _aside(station)
    _damage(station)
    until(lambda: _aside(station) - before)
    registered_again(station)
    station.wait_for(station.start(*TINY), "COMPLETED")
    log = (station.home / "prefect" / "supervisor.log").read_text(encoding="utf-8")
    assert "damaged under it" in log
    assert log.count("; moved to") == 1


def test_removed_under_a_living_server_it_is_made_anew(station: Station) -> None:
    restarts = station.note()["restarts"]["server"]
    for end in ("", "-wal", "-shm"):
        (station.home / "prefect" / (FILE + end)).unlink(missing_ok=True)
    # Until then the old server answers, from the file that has no name any more.
    until(lambda: station.note()["restarts"]["server"] > restarts)
    registered_again(station)
    station.wait_for(station.start(*TINY), "COMPLETED")


def test_one_of_a_newer_prefect_is_left_and_up_says_what_to_do(station: Station) -> None:
    station.command("down")
    path = station.home / "prefect" / FILE
    assert path.stat().st_size > 0
    with sqlite3.connect(path) as database:
        (old,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        database.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    database.close()
    before = _aside(station)
    ports = ("--port", str(station.port), "--pages", str(station.pages), "--no-browser")
    try:
        done = station.command("up", *ports)
        assert done.returncode == 2
        assert done.stderr.startswith(f"restem: {path}: made by a newer Prefect than this one")
        assert done.stderr.count("\n") == 1
        assert _aside(station) == before
        assert station.processes() == []
    finally:
        with sqlite3.connect(path) as database:
            database.execute("UPDATE alembic_version SET version_num = ?", (old,))
        database.close()
        station.up()


def test_a_server_that_cannot_start_ends_the_station_with_its_log(
    tmp_path: Path, station: Station
) -> None:
    other = Station(tmp_path / "other", free_port(), free_port())
    ports = ("--port", str(other.port), "--pages", str(other.pages), "--no-browser")
    done = other.command(
        "up", *ports, PREFECT_API_DATABASE_CONNECTION_URL="sqlite+aiosqlite:////proc/x.db"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("restem: the Prefect server did not start (log: ")
    until(lambda: not other.processes())


@pytest.mark.station
def test_a_plain_run_does_the_same(station: Station, tmp_path: Path) -> None:
    other = Station(tmp_path / "other", 0, 0)
    (other.home / "prefect").mkdir(parents=True)
    path = _damage(other)
    done = other.command("demo", *(part for one in TINY for part in ("--set", one)))
    assert done.returncode == 0, done.stderr
    assert f"{path}: damaged (" in done.stderr
    assert len(_aside(other)) == 1
