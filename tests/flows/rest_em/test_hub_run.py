"""A run of a base policy on the Hub: its commit is kept, and a branch that moves is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.paths import MODELS
from tests.flows.api.hub_server import serving
from tests.flows.conftest import Restem
from tests.small import SMALLEST

pytestmark = pytest.mark.engine
POLICY = "models/me/tiny"
CHANGES = (*SMALLEST, "iterations=1", "model.base=me/tiny", "sampling.teacher=me/tiny@v1")


def test_a_run_keeps_the_commit_and_says_where_the_branch_went(server: str, tmp_path: Path) -> None:
    restem = Restem(tmp_path / "home", server)
    flags = [part for change in CHANGES for part in ("--set", change)]
    files = {one.name: one.read_bytes() for one in (MODELS / "tiny-math").iterdir()}
    env = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}

    with serving() as hub:
        env["HF_ENDPOINT"] = hub.address
        taught = hub.release(POLICY, files | {"notes.txt": b"for the teacher"}, "v1")
        commit = hub.release(POLICY, files, "main")
        restem("run", "math-demo", *flags, **env)
        steps = restem.status()["steps"]
        noted = [one for line in steps for one in line.get("commits", {}).items()]
        assert noted == [("me/tiny@main", commit), ("me/tiny@v1", taught)]
        [page] = (restem.home / "runs").glob("*/report.html")
        assert f"me/tiny@main is commit {commit}" in page.read_text()

        moved = hub.release(POLICY, files | {"notes.txt": b"newer"}, "main")
        plan = json.loads(restem("run", "math-demo", "--dry-run", "--json", *flags, **env))
        assert {(row["to_do"], row["cached"] > 0) for row in plan["steps"]} == {(0, True)}
        said = restem("run", "math-demo", "--dry-run", *flags, **env)
        assert f"me/tiny@main was {commit} when it was read, and is {moved} now" in said

    said = restem("run", "math-demo", *flags, **env)  # the Hub is gone
    assert {line["state"] for line in restem.status()["steps"]} == {"Cached"}
    assert "when it was read" not in said

    # A home on a node without a network, which shares the cache.
    other = Restem(tmp_path / "other", server)
    asked = ("me/tiny@v1", "--on", "synthetic_math", "--limit", "4", "--set", "measure.samples=0")
    other("evaluate", *asked, **env)
    noted = [line["commits"] for line in other.status()["steps"] if "commits" in line]
    assert noted == [{"me/tiny@v1": taught}]
