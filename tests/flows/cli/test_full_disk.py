"""A disk that is full while a run writes: one line that names the folder, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.station.conftest import Station
from tests.small import TINY

CHANGES = [part for one in TINY for part in ("--set", one)]


@pytest.fixture
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A part of a home that is a small disk of its own."""
    part, size = request.param
    path = tmp_path / "home" / part
    path.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.engine
@pytest.mark.parametrize(
    "small",
    [("store", "1m"), ("runs", "24k"), ("prefect", "3m")],
    indirect=True,
    ids=lambda p: p[0],
)
def test_a_run_says_it_and_goes_on_when_there_is_room(small: Path, tmp_path: Path) -> None:
    home = Station(tmp_path / "home", 0, 0)
    done = home.command("demo", *CHANGES)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("restem: ") and f"{small}: no room on its disk (" in last
    assert last.endswith("MB are free): make room; the same command resumes it")
    assert "Traceback" not in done.stdout + done.stderr
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
    done = home.command("demo", *CHANGES)
    assert done.returncode == 0, done.stderr
    assert "steps: " in done.stdout
    assert not list((tmp_path / "home" / "store" / ".drafts").glob("*"))
