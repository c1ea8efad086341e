"""The loop on code: the same flow, with verdicts from real containers in the cache."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox import TAG
from sandbox.image import find_image
from sandbox.pool import connect
from tasks.rows import read_rows
from tests.flows.conftest import Restem

SMALL = (
    "iterations=1",
    "data.train_limit=30",
    "data.validation=6",
    "data.test_limit=30",
    "sampling.samples=4",
    "evaluation.samples=2",
    "evaluation.pass_k=[1, 2]",
    "evaluation.sampled_problems=10",
    "evaluation.train_problems=0",
    "finetune.checks=1",
    "finetune.epochs=1",
)


def demo(restem: Restem, *changes: str, code: int = 0, **env: str) -> str:
    flags = [part for change in (*SMALL, *changes) for part in ("--set", change)]
    return restem("demo", "--domain", "code", *flags, code=code, **env)


def states(restem: Restem) -> dict[tuple[str, str], int]:
    return Counter((row["step"].split()[0], row["state"]) for row in restem.status()["steps"])


@pytest.fixture(scope="module")
def coded(server: str, image: str, tmp_path_factory: pytest.TempPathFactory) -> Restem:
    """A home in which the small code demo has run once."""
    restem = Restem(tmp_path_factory.mktemp("code"), server)
    demo(restem)
    return restem


def artifacts(restem: Restem, kind: str) -> list[Path]:
    return sorted(path for path in (restem.home / "store" / kind).glob("*") if path.is_dir())


def test_verdicts_come_from_the_sandbox(coded: Restem) -> None:
    client = connect()
    image = find_image(client)
    client.close()
    rows: list[dict[str, Any]] = []
    for folder in artifacts(coded, "verdicts"):
        assert json.loads((folder / "manifest.json").read_text())["stats"]["image"] == image
        rows += read_rows(folder / "verdicts.parquet")
    statuses = Counter(row["status"] for row in rows)
    assert statuses["correct"] > 10 and statuses["wrong_answer"] > 10, statuses
    assert not statuses["sandbox_error"]
    for row in rows:
        assert (row["first_failure"] < 0) == (row["status"] in ("correct", "no_answer"))
        assert "print(" in row["extracted"] or row["status"] != "correct"


def test_a_training_row_is_traced_to_the_sandbox_that_judged_it(coded: Restem) -> None:
    verdict = json.loads(coded("trace", "latest", "0", "--json"))["verdict"]
    assert verdict["status"] == "correct" and verdict["time_limit"] == 4.0
    assert verdict["sandbox image"].startswith("sha256:") and verdict["image"] == TAG


def test_again_is_all_cached_and_needs_no_engine(coded: Restem) -> None:
    demo(coded, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert {state for _, state in states(coded)} == {"Cached"}


def test_other_limits_score_again_and_draw_the_base_policys_samples_not(coded: Restem) -> None:
    demo(coded, "execution.time_limit=3.0")
    found = {
        (row["iteration"], row["step"]): row["state"]
        for row in coded.status()["steps"]
        if row["iteration"] == 0
    }
    assert found[0, "generate test"] == found[0, "generate draw"] == "Cached"
    assert found[0, "score test"] == found[0, "score draw"] == "Completed"


def test_without_an_engine_one_line_and_nothing_is_sampled(coded: Restem) -> None:
    before = coded.runs()
    said = demo(coded, "seed=9", code=2, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert said.strip().count("\n") == 0 and "Docker engine" in said, said
    said = coded(
        *("run", "code-demo", "--set", "seed=9", "--set", "data.train_limit=20"),
        code=2,
        DOCKER_HOST="unix:///nowhere/docker.sock",
    )
    assert "code problems need the sandbox: no Docker engine" in said, said
    assert coded.runs() == before


def test_make_demo_goes_on_without_an_engine(coded: Restem) -> None:
    said = coded(
        *("demo", "--domain", "code", "--if-engine", "--set", "seed=11"),
        DOCKER_HOST="unix:///nowhere/docker.sock",
    )
    assert said.startswith("the code demo is left out: no Docker engine") and "install" in said


def test_no_accepted_sample_ends_the_loop_and_is_reported(coded: Restem) -> None:
    # A model of sums writes no program.
    said = demo(coded, "model.base=embedded:tiny-math", "data.test_limit=8")
    assert "no sample was accepted" in said
    steps = {row["step"] for row in coded.status()["steps"]}
    assert "finetune" not in steps and "report" in steps
    page = (Path(coded("report", "latest").strip())).read_text()
    assert "Samples that were refused" in page and "no sample was accepted" in page
