"""`restem up --foreground`, as a service manager starts and ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.paths import ROOT
from tests.flows.station.conftest import PATIENCE, Station, until
from tests.ports import free_port

pytestmark = pytest.mark.station


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Station]:
    """A home of its own, in which nothing is up yet."""
    station = Station(tmp_path / "own", free_port(), free_port())
    yield station
    station.end()


def begin(station: Station) -> subprocess.Popen[str]:
    """What systemd starts; returns once it is told that all is up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        place = f"\0restem-{os.getpid()}-{station.port}"
        notices.bind(place)
        notices.settimeout(PATIENCE)
        ports = ("--port", str(station.port), "--pages", str(station.pages))
        command = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "up", "--foreground", *ports],
            cwd=ROOT,
            env=station.environment(NOTIFY_SOCKET=place.replace("\0", "@")),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert notices.recv(100) == b"READY=1"
    return command


def test_sigterm_ends_all_of_it(own: Station) -> None:
    command = begin(own)
    assert own.api.healthy()
    command.send_signal(signal.SIGTERM)
    out, err = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0, err
    assert own.secret not in out + err and "#" not in out  # the log of a service has no link
    until(lambda: not own.processes())


def test_down_is_no_failure_and_a_death_is_one(own: Station) -> None:
    command = begin(own)
    assert own.command("up", "--foreground").returncode == 2  # one is up
    assert own.command("down").returncode == 0
    assert command.wait(PATIENCE) == 0
    command = begin(own)
    os.kill(own.pid("pid"), signal.SIGKILL)
    _, err = command.communicate(timeout=PATIENCE)
    assert command.returncode == 1 and "supervisor.log" in err
