"""A machine on which no server could be reached: said at once, in one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flows.server.machine_checks import check_machine
from tasks.paths import ROOT

CHECK = "from flows.server.machine_checks import check_machine; check_machine()"
ADDRESS = "from flows.server.local import prefect_server\nwith prefect_server(): print('started')"


def _run(shell: str, program: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    command = [*shell.split(), sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=600)
    return done.stdout.decode() + done.stderr.decode()


def test_an_ordinary_machine_has_all_of_it() -> None:
    check_machine()


@pytest.mark.prefect
@pytest.mark.parametrize("program", [CHECK, ADDRESS])
def test_without_a_loopback_address(home: Path, program: str) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may have a network of its own")
    said = _run("unshare -n", program)
    assert "UserError: 127.0.0.1 does not answer on this machine (" in said
    assert "ip link set lo up" in said


def test_with_few_open_files() -> None:
    said = _run("prlimit --nofile=64:64", CHECK)
    assert "UserError: a process may have 64 open files (ulimit -n); expected 256" in said


def test_a_low_limit_that_may_be_raised_is_raised() -> None:
    said = _run("prlimit --nofile=64:4096", CHECK + "; import resource as r; print(r.getrlimit(7))")
    assert said == "(4096, 4096)\n"


@pytest.mark.prefect
def test_a_taken_port_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        said = _run("env", ADDRESS.replace("()", f"({port})", 1))
    assert f"UserError: --port {port}: taken; expected a free port" in said
