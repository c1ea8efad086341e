"""However a script ends that runs restem, nothing is left running, and what is done stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.recovery import resume
from tests.flows.conftest import ROOT, Restem
from tests.small import SMALL

pytestmark = pytest.mark.engine

SCRIPT = f"""
from flows.api import load_config, read_run, run

try:
    run(load_config("math-demo", {list(SMALL)}))
except KeyboardInterrupt:
    print("interrupted:", read_run().state)
"""


@pytest.fixture
def restem(server: str, tmp_path: Path) -> Restem:
    return Restem(tmp_path / "home", server)


def started(restem: Restem, **env: str) -> subprocess.Popen[str]:
    """A script whose run is in the middle of its work."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**restem.environment(), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((restem.home / "store" / "samples").glob("*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


def nothing_is_left(home: Path) -> None:
    """Wait for the end of every process of a home."""
    while resume._survivors(home):
        time.sleep(0.2)


def test_an_interrupt_ends_the_run_in_order_and_is_raised(restem: Restem) -> None:
    process = started(restem)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert said.endswith("interrupted: interrupted\n")
    assert resume._survivors(restem.home) == 0


def test_a_killed_script_takes_its_run_and_its_server_along(restem: Restem) -> None:
    process = started(restem, PREFECT_API_URL="")  # so that the run starts a server of its own
    process.kill()
    process.communicate()
    nothing_is_left(restem.home)
    assert restem.status()["state"] == "interrupted"
