"""Functions of one's own in whole runs: an edit scores and selects again, and samples nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.flows.conftest import ROOT, Restem
from tests.small import SMALL

OWN = '''
def worth(completion, grade, samples):
    """What the checker says."""
    return grade.reward if len(samples) == 7 else 0.0


def lowest(candidates):
    return sorted(candidates)[:10]
'''
SCORED = {"score draw", "select", "report"}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def changes(own: Path) -> tuple[str, ...]:
    return (
        f"filter.score={own}:worth",
        f"filter.select={own}:lowest",
        "filter.cap=0",
        "iterations=1",
    )


def done(steps: list[dict]) -> set[str]:
    """Names of the step groups in which work was done."""
    return {step["step"] for step in steps if step["state"] == "Completed"}


def test_an_edit_scores_and_selects_again_and_samples_nothing(copied: Restem, own: Path) -> None:
    copied.demo("filter.cap=0", "iterations=1", "filter.first=4")
    first = copied.demo(*changes(own), "filter.first=4")
    # All else is there: the reward is the checker's, so the rows are those of the plain run.
    assert done(first) == SCORED
    assert done(copied.demo(*changes(own), "filter.first=4")) == set()
    own.write_text(OWN.replace("What", "what"))  # one byte, of a comment
    again = copied.demo(*changes(own), "filter.first=4")
    assert done(again) == SCORED
    places = {step["label"]: step["artifact"] for step in first}
    for step in again:
        assert (step["artifact"] == places[step["label"]]) is (step["state"] == "Cached")
    scored = [step for step in again if step["step"] == "score draw"]
    assert scored and all(step["state"] == "Completed" for step in scored)


def test_a_run_goes_on_from_anywhere_and_prefect_knows_it_by_its_id(
    copied: Restem, own: Path
) -> None:
    copied.demo(*changes(Path(os.path.relpath(own, ROOT))))
    found = copied.status()
    head = json.loads((copied.home / "runs" / found["run"] / "run.json").read_text())
    assert head["config"]["filter"]["score"] == f"{own}:worth"
    again = subprocess.run(
        [sys.executable, "-m", "flows.cli", "resume", "latest"],
        cwd="/",
        env=copied.environment(),
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0 and "steps: 0 run" in again.stdout, again.stderr
    known = httpx.get(f"{copied.api}/flow_runs/{head['flow_run']}", auth=copied.auth).json()
    assert known["name"] == found["run"]


@pytest.mark.parametrize(
    ("source", "said", "begins"),
    [
        (OWN.replace("completion,", "completions,"), "asks for 'completions'", False),
        (f"import nowhere\n{OWN}", "it cannot be loaded: ModuleNotFoundError", True),
    ],
)
def test_a_function_that_cannot_be_called_ends_the_run_before_it_samples(
    source: str, said: str, begins: bool, copied: Restem, own: Path
) -> None:
    own.write_text(source)
    flags = [part for one in (*SMALL, *changes(own), "seed=77") for part in ("--set", one)]
    printed = copied("demo", *flags, code=2)
    assert said in printed and "filter.score: " in printed
    if begins:
        assert not any(step.startswith("generate") for step in done(copied.status()["steps"]))


def test_what_failed_is_in_the_log_and_in_the_runs_warnings(copied: Restem, own: Path) -> None:
    own.write_text(OWN.replace("return grade", "return 1 / 0 if '7' in completion else grade"))
    steps = copied.demo(*changes(own))
    (warning,) = [one for one in copied.status()["warnings"] if "own.py:worth" in one]
    assert "failed on" in warning and "ZeroDivisionError: division by zero" in warning
    assert str(copied.home) not in warning  # equal runs have equal reports
    run = copied.status()["run"]
    log = (copied.home / "runs" / run / "logs" / "rewards.log").read_text()
    assert "return 1 / 0 if '7' in completion else grade.reward" in log
    assert "score draw" in done(steps)
