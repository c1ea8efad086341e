"""Runs of a study side by side: how many, that they make what one at a time makes, how they end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.recovery.resume import _survivors, digests
from flows.study.workers import workers_of
from tasks.settings import Resources
from tests.flows.conftest import ROOT, Restem
from tests.flows.study.test_study import SMALL, study


@pytest.mark.parametrize(
    ("settings", "gpus", "wanted"),
    [
        ({"threads": 1}, 0, 8),
        ({"threads": 1}, 1, 1),
        ({"threads": 1, "device": "cpu"}, 1, 8),
        ({"threads": 0}, 0, 1),
        ({"threads": 4}, 0, 1),
        ({"threads": 1, "ray_address": "auto"}, 0, 1),
        ({"threads": 1, "endpoints": ["http://a:1"]}, 0, 1),
        ({"threads": 1, "study_runs": 3}, 0, 3),
        ({"study_runs": 2}, 4, 2),
    ],
)
def test_as_many_runs_as_cores_where_each_uses_one(
    settings: dict[str, Any], gpus: int, wanted: int
) -> None:
    assert workers_of(Resources(**settings), gpus, 12) == wanted


def test_three_at_once_make_what_one_at_a_time_makes(
    server: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, counted = [], []
    for runs in (1, 3):
        home = Restem(tmp_path_factory.mktemp(f"workers{runs}"), server)
        found = study(home, "cap", "--seeds", "1", "--set", f"resources.study_runs={runs}")
        (one,) = found["studies"]
        counted.append(one["account"]["samples"])
        made.append(digests(home.home))
    assert made[0] == made[1]
    assert counted[0] == counted[1]


def test_a_study_that_is_ended_leaves_nothing_and_goes_on(server: str, tmp_path: Path) -> None:
    home = Restem(tmp_path / "home", server)
    flags = [part for change in SMALL for part in ("--set", change)]
    asked = ["cap", "--config", "study-math", *flags, "--seeds", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "study", *asked, "--set", "resources.study_runs=2"],
        cwd=ROOT,
        env=home.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Until two fine-tunes are under way; where one was done before the other began, the third is.
    seen, now = set[Path](), set[Path]()
    while process.poll() is None and len(now) < 2 and len(seen) < 3:
        now = set((home.home / "work").glob("*"))
        seen |= now
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()  # pytest-timeout bounds it
    assert process.returncode == 1, output + errors
    assert "Traceback" not in errors and "resumes" in errors
    assert _survivors(home.home) == 0
    assert list((home.home / "store" / ".drafts").glob("*")) == []
    (one,) = study(home, "cap", "--seeds", "1")["studies"]
    assert one["account"]["samples"]["found"] > 0


def test_a_mistake_in_one_run_ends_the_others_with_one_line(server: str, tmp_path: Path) -> None:
    home = Restem(tmp_path / "home", server)
    file = tmp_path / "mine.py"
    file.write_text("def pick(candidates):\n    return 5\n")
    flags = [part for change in SMALL for part in ("--set", change)]
    more = ["--set", f"filter.select={file}:pick", "--set", "resources.study_runs=2"]
    said = home("study", "cap", "--config", "study-math", *flags, *more, "--seeds", "1", code=2)
    assert "restem: filter.select: mine.py:pick" in said and "Traceback" not in said
    assert _survivors(home.home) == 0
