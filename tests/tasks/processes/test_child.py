"""Child processes answer, and die with their parent whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tasks.errors import StepError
from tasks.paths import ROOT
from tasks.processes.child import Child

pytestmark = pytest.mark.usefixtures("light")

ECHO = "tests.tasks.processes.echo_child:main"


def gone(pids: list[int], seconds: float = 300.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive = [p for p in pids if psutil.pid_exists(p) and _running(p)]
        if not alive:
            return True
        time.sleep(0.05)
    return False


def _running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_progress_and_questions_reach_the_parent(log: Path) -> None:
    seen = []
    with Child.module(ECHO, log=log) as child:
        reply = child.call(
            {"do": "ask"},
            on_progress=lambda done, total: seen.append((done, total)),
            on_ask=lambda question: {"answer to": question},
        )
    assert seen == [(1, 2)]
    assert reply == {"heard": {"answer to": {"question": 1}}}


def test_an_error_is_told_and_the_child_lives_on(log: Path) -> None:
    with Child.module(ECHO, log=log) as child:
        with pytest.raises(StepError, match=r"ValueError: told to .*child\.log"):
            child.call({"do": "raise"})
        assert child.call({"do": "nothing"}) == {}


def test_noise_goes_to_the_log_and_not_into_the_wire(log: Path) -> None:
    with Child.module(ECHO, log=log) as child:
        assert child.call({"do": "print"}) == {}
    assert "noise on standard output" in log.read_text()
    assert "noise on standard error" in log.read_text()


def test_a_dead_child_is_named_with_its_signal(log: Path) -> None:
    with Child.module(ECHO, log=log) as child, pytest.raises(StepError, match="SIGKILL"):
        child.call({"do": "die"})


def test_close_ends_grandchildren_too(log: Path) -> None:
    with Child.module(ECHO, log=log) as child:
        pids = child.call({"do": "spawn"})["pids"]
    assert gone([child.pid, *pids])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_killed_parent(log: Path, how: signal.Signals) -> None:
    code = (
        "import sys, json, time; from pathlib import Path\n"
        "from tasks.processes.child import Child\n"
        f"c = Child.module({ECHO!r}, log=Path(sys.argv[1]))\n"
        "pids = c.call({'do': 'spawn'})['pids']\n"
        "print(json.dumps([c.pid, *pids]), flush=True)\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(log)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert parent.stdout is not None
    pids = json.loads(parent.stdout.readline())
    os.kill(parent.pid, how)
    parent.wait()
    assert gone(pids)


def test_a_killed_guard_takes_the_child_along(log: Path) -> None:
    with Child.module(ECHO, log=log) as child:
        pids = child.call({"do": "spawn"})["pids"]
        os.kill(child.pid, signal.SIGKILL)
        assert gone([pids[0]])


def test_close_ends_a_child_that_another_thread_waits_for(log: Path) -> None:
    with Child.module(ECHO, log=log) as child, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(child.call, {"do": "sleep"})
        while not child.busy:
            time.sleep(0.01)
        child.close()
        with pytest.raises((StepError, ValueError)):
            waiting.result(timeout=300)
    assert gone([child.pid])
