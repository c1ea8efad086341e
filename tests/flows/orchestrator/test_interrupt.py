"""Whatever ends a run, nothing is left of it and the same command finishes it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.recovery import resume
from tests.flows.conftest import ROOT, Restem
from tests.small import SMALL

# Half of the finished run: all of its steps but the report are there.
HALF = (*SMALL, "iterations=1")


@pytest.fixture(scope="module")
def undisturbed(finished: Restem, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of a home in which nothing was ended early."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    subprocess.run(["cp", "-a", str(finished.home), str(home)], check=True)
    Restem(home, finished.api).demo("iterations=1")
    return resume.digests(home)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["samples", "model"])
def test_a_polite_end_leaves_nothing_and_resumes(
    finished: Restem,
    undisturbed: dict[str, str],
    tmp_path: Path,
    how: signal.Signals,
    kind: str,
) -> None:
    restem = Restem(tmp_path / "home", finished.api)
    flags = [part for change in HALF for part in ("--set", change)]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "demo", *flags],
        cwd=ROOT,
        env=restem.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = set()
    while process.poll() is None and kind not in seen:
        for path in (restem.home / "store" / ".drafts").glob(f"*~{process.pid}~*"):
            # The base model is a model too; the trainer's is the one with a work folder.
            if path.name.startswith("samples") or list((restem.home / "work").glob("*")):
                seen.add(path.name.split("~")[0])
        time.sleep(0.01)
    process.send_signal(how)
    output, errors = process.communicate()  # pytest-timeout bounds it
    assert process.returncode == 1, output + errors
    assert "Traceback" not in errors
    assert "resumes" in errors
    assert resume._survivors(restem.home) == 0
    assert list((restem.home / "store" / ".drafts").glob("*")) == []
    assert restem.status()["state"] == "interrupted"
    restem.demo("iterations=1")
    made = resume.digests(restem.home)
    assert {name.split("/")[0] for name in made} >= {"samples", "model", "report"}
    assert made.items() <= undisturbed.items()


def test_killed_runs_end_with_the_digests_of_an_undisturbed_one(
    finished: Restem, tmp_path: Path
) -> None:
    moments = resume.choose_moments(finished.home, 6, random.Random(5))
    tally = resume.storm(tmp_path, moments)
    assert tally.kills >= 3
    assert tally.remade == [] and tally.survivors == 0
    assert tally.most_in_flight <= resume.UNDER_WAY
    assert resume.digests(tmp_path) == resume.digests(finished.home)
    assert resume.leftovers(tmp_path) == 0
