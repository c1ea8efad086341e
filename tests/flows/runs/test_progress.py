"""How far a task is, as Prefect's UI is told."""

from __future__ import annotations

import subprocess
import sys

import httpx

from tests.flows.conftest import ROOT, Restem

CODE = """
import time
from prefect import flow, task
from flows.runs import progress
progress.EVERY_SECONDS = 0.2
@task
def sample():
    bar = progress.ProgressArtifacts()
    bar.begin("generate of the progress test")
    bar.update("generate of the progress test", 1, 8)
    time.sleep(0.3)
    bar.update("generate of the progress test", 2, 8)
    bar.update("generate of the progress test", 3, 8)
    bar.update("generate of the progress test", 8, 8)
@flow
def run():
    sample()
run()
"""


def test_a_bar_is_made_once_and_ends_at_its_end(server: str, tmp_path) -> None:
    restem = Restem(tmp_path, server)
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env=restem.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = httpx.post(
        f"{server}/artifacts/filter",
        # The newest, for runs of other tests leave many at this server.
        json={
            "artifacts": {"type": {"any_": ["progress"]}},
            "sort": "CREATED_DESC",
            "limit": 200,
        },
        auth=restem.auth,
    ).json()
    mine = [row for row in rows if row["description"] == "generate of the progress test"]
    assert [float(row["data"]) for row in mine] == [100.0]
