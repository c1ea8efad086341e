"""A study shares what its arms have in common, costs nothing the second time, and goes on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Restem

SMALL = (
    *("data.train_limit=48", "data.test_limit=24", "data.validation=12", "iterations=1"),
    *("evaluation.sampled_problems=12", "evaluation.samples=4", "evaluation.pass_k=[1,4]"),
    *("evaluation.majority=[4]", "evaluation.train_problems=12", "evaluation.transfer=[]"),
    *("finetune.epochs=1", "finetune.checks=1", "resources.shard_problems=48"),
)
ARMS = 4


def study(restem: Restem, name: str, *more: str) -> dict[str, Any]:
    flags = [part for change in SMALL for part in ("--set", change)]
    said = restem("study", name, "--config", "study-math", *flags, *more, "--json")
    return json.loads(said[said.index('{"run"') :].splitlines()[0])


@pytest.fixture(scope="module")
def home(server: str, tmp_path_factory: pytest.TempPathFactory) -> Restem:
    return Restem(tmp_path_factory.mktemp("studies"), server)


@pytest.fixture(scope="module")
def cap(home: Restem) -> dict[str, Any]:
    return study(home, "cap", "--seeds", "2")


def test_arms_share_what_they_have_in_common(home: Restem, cap: dict[str, Any]) -> None:
    (one,) = cap["studies"]
    samples = one["account"]["samples"]
    # The four arms differ in what is selected of one draw: all but it and their evaluations is one.
    draw = 2 * 48 * 24
    assert samples["asked"] >= ARMS * draw
    assert samples["made"] <= samples["asked"] - (ARMS - 1) * draw
    assert samples["made"] == sum(row["rows"] for row in listed(home) if row["kind"] == "samples")
    assert samples["asked"] == samples["made"] + samples["shared"] + samples["found"]


def test_the_second_time_nothing_is_made(home: Restem, cap: dict[str, Any]) -> None:
    before = listed(home)
    (one,) = study(home, "cap", "--seeds", "2")["studies"]
    account = one["account"]
    assert account["samples"]["made"] == account["tasks"]["made"] == 0
    assert account["samples"]["asked"] == cap["studies"][0]["account"]["samples"]["asked"]
    assert {step["state"] for step in home.status()["steps"]} == {"Cached"}
    assert listed(home) == before


def test_another_seed_makes_its_own_runs_alone(home: Restem, cap: dict[str, Any]) -> None:
    (one,) = study(home, "cap", "--seeds", "3")["studies"]
    old, new = cap["studies"][0]["account"]["samples"], one["account"]["samples"]
    assert new["asked"] == pytest.approx(1.5 * old["asked"], rel=0.05)
    assert 0 < new["made"] < 0.6 * old["made"]
    assert [claim["mean"]["problems"] for claim in one["claims"]] == [3]


def test_a_run_of_an_arm_is_a_run_of_its_own(home: Restem, cap: dict[str, Any]) -> None:
    """The plain command with an arm's configuration finds all that the study made."""
    flags = [part for change in SMALL for part in ("--set", change)]
    arm = ["--set", "sampling.samples=24", "--set", "filter.cap=4", "--set", "seed=2"]
    home("run", "study-math", *flags, *arm)
    steps = home.status()["steps"]
    assert {step["state"] for step in steps} == {"Cached"}


def test_the_page_shows_claims_figures_and_cost(
    cap: dict[str, Any], chromium: str, tmp_path: Path
) -> None:
    page = Path(cap["report"]).read_text()
    for words in ("cap 10 minus cap 1", "samples drawn now", "no cap", "<svg", "over 2 seeds"):
        assert words in page
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run(
        [chromium, *flags, f"--user-data-dir={tmp_path}", f"file://{cap['report']}"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "CONSOLE" not in done.stderr
    assert "The paper's claims" in done.stdout


def test_the_gallery_has_every_figure(home: Restem, cap: dict[str, Any], tmp_path: Path) -> None:
    study(home, "cap", "--seeds", "2", "--gallery", str(tmp_path / "studies"))
    text = (tmp_path / "studies" / "cap.md").read_text()
    figures = sorted(p.name for p in (tmp_path / "studies").glob("*.svg"))
    assert figures == ["cap-1.svg"]
    assert "![One iteration, by cap](cap-1.svg)" in text
    assert "restem study cap --seeds 2" in text
    assert "| no cap | `" in text and "| arm | iterations | greedy |" in text


def test_mistakes_end_before_anything_starts(home: Restem) -> None:
    assert "expected all or one of" in home("study", "caps", code=2)
    assert "no arms on these problems" in home("study", "cap", "--config", "study-code", code=2)


def listed(restem: Restem) -> list[dict[str, Any]]:
    """All artifacts, by kind and key."""
    rows = json.loads(restem("store", "list", "--json"))
    return sorted(rows, key=lambda row: (row["kind"], row["key"]))
