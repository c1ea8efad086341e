"""A home that the version before made, with Prefect 3.8.8, is opened by this one.

home-3.8.8.tar.xz is a whole home after `restem demo` with the changes below, less its logs and its
secret. The learning rate is so small that p1 has the weights of the base policy, which the archive
leaves out: they are those of models/tiny-math.
"""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.runs.store import verify_store
from tasks.paths import MODELS
from tests.flows.station.conftest import Station, free_port

ARCHIVE = Path(__file__).with_name("home-3.8.8.tar.xz")
RUN = "math-demo-5ead8db4"
STEPS = 17
OLD_REVISION = "a3b9c7d2e5f1"  # of Prefect 3.8.8
CHANGES = (
    "iterations=1",
    "data.train_limit=64",
    "data.test_limit=32",
    "data.validation=0",
    "sampling.samples=4",
    "evaluation.samples=1",
    "evaluation.pass_k=[1]",
    "evaluation.majority=[]",
    "evaluation.sampled_problems=0",
    "evaluation.train_problems=0",
    "resources.shard_problems=64",
    "resources.shard_samples=4",
    "finetune.learning_rate=1e-30",
)


def unpack(home: Path) -> None:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(home, filter="data")
    for manifest in (home / "store" / "model").glob("*/manifest.json"):
        shutil.copy(MODELS / "tiny-math" / "model.safetensors", manifest.parent)


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
    for process in station.processes():
        process.kill()


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
def test_the_same_run_again_is_all_cached(upgraded: Station) -> None:
    flags = [word for change in CHANGES for word in ("--set", change)]
    done = upgraded.command("demo", *flags)
    assert done.returncode == 0, done.stderr
    assert f"restem {RUN}" in done.stdout
    assert f"steps: 0 run, {STEPS} cached" in done.stdout
