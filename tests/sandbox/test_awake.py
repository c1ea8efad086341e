"""The clock of limits on silence: what is no silence does not count."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.awake import TICK_SECONDS, AwakeClock, awake

ROOT = Path(__file__).resolve().parents[2]


class Clocks:
    """The two clocks of a machine."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 1000.0, 1.8e9
        self.awake = AwakeClock(lambda: self.monotonic, lambda: self.wall)

    def work(self, seconds: float) -> None:
        """Time that is read as often as by the thread."""
        for _ in range(round(seconds / TICK_SECONDS)):
            self.monotonic += TICK_SECONDS
            self.wall += TICK_SECONDS
            self.awake.now()


@pytest.mark.parametrize(
    ("monotonic", "wall"),
    [(0.0, 600.0), (600.0, 600.0), (0.0, 3600.0), (0.0, -3600.0), (0.0, 0.0)],
    ids=["suspended", "stopped", "clock set ahead", "clock set back", "nothing"],
)
def test_what_happens_between_does_not_count(monotonic: float, wall: float) -> None:
    clocks = Clocks()
    began = clocks.awake.now()
    clocks.work(60.0)
    assert clocks.awake.since_break() == math.inf
    clocks.monotonic += monotonic
    clocks.wall += wall
    clocks.awake.now()
    clocks.work(30.0)
    assert clocks.awake.now() - began == pytest.approx(90.0, abs=1.0)
    expected = 30.0 if wall else math.inf
    assert clocks.awake.since_break() == pytest.approx(expected, abs=1.0)


def test_it_never_goes_back() -> None:
    clocks = Clocks()
    read = []
    for gap in (0.1, 1.9, 2.1, 0.0, 1000.0, 0.2):
        clocks.monotonic += gap
        read.append(clocks.awake.now())
    assert read == sorted(read)


@pytest.mark.slow
def test_a_process_that_was_stopped_did_not_wait() -> None:
    code = (
        "import sys, time; from sandbox.awake import awake\n"
        "a, b = awake(), time.monotonic(); print(flush=True); sys.stdin.readline()\n"
        "print(awake() - a, time.monotonic() - b)"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout
        process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(6.0)
        os.kill(process.pid, signal.SIGCONT)
        print(file=process.stdin, flush=True)
        mine, all_of_it = map(float, process.stdout.readline().split())
    assert all_of_it - mine > 4.0


def test_a_fork_has_one_of_its_own() -> None:
    awake()
    code = os.fork()
    if code == 0:
        before = awake()
        time.sleep(0.1)
        os._exit(0 if awake() > before else 1)
    assert os.waitpid(code, 0)[1] == 0
