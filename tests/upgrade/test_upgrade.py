"""A home that the version before made (old_home.py) is opened by this one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.runs.store import verify_store
from tests.flows.station.conftest import Station
from tests.ports import free_port
from tests.upgrade.old_home import CHANGES, OLD_REVISION, RUN, STEPS, unpack


def revision(database: Path) -> str:
    """Of the schema of Prefect's database."""
    connection = sqlite3.connect(database)
    try:
        return connection.execute("select version_num from alembic_version").fetchone()[0]
    finally:
        connection.close()


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """The old home under a station of this version."""
    station = Station(tmp_path_factory.mktemp("upgrade"), free_port(), free_port())
    unpack(station.home)
    station.up()
    yield station
    station.command("down")
    station.end()


def test_every_artifact_of_an_old_store_is_whole(home: Path) -> None:
    unpack(home)
    found = verify_store()
    assert found.damaged == [] and found.unfinished == []
    assert found.whole == STEPS


@pytest.mark.station
def test_an_old_database_is_migrated_and_its_runs_show(upgraded: Station) -> None:
    now = revision(upgraded.home / "prefect" / "prefect.db")
    assert now not in (OLD_REVISION, "")
    names = {run.name for run in upgraded.api.flow_runs("COMPLETED")}
    assert RUN in names


@pytest.mark.station
def test_the_same_run_again_finds_what_no_version_changed(upgraded: Station) -> None:
    flags = [word for change in CHANGES for word in ("--set", change)]
    done = upgraded.command("demo", *flags)
    assert done.returncode == 0, done.stderr
    assert f"restem {RUN}" in done.stdout
    found = re.search(r"steps: (\d+) run, (\d+) cached", done.stdout)
    assert found and int(found[1]) + int(found[2]) == STEPS
    # Samples have their tokens since: CHANGELOG, "Steps that run again".
    again = [line for line in done.stdout.splitlines() if re.match(r"\s+\d+ \w", line)]
    again = [line for line in again if "cached" not in line]
    assert not any(re.match(r"\s+\d+ (problems|base)\b", line) for line in again), again
