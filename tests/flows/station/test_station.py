"""`restem up` and `down`: one station a home, whatever of it dies; nothing left after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from flows.server.access import authorization
from tests.flows.station.conftest import LONG, Station, until
from tests.ports import free_port
from tests.small import TINY


def test_second_up_changes_nothing(station: Station) -> None:
    before = station.note()
    ids = {one["id"] for one in station.api.post("/deployments/filter", {})}
    printed = station.up()
    assert f"UI: http://127.0.0.1:{station.port}" in printed
    assert f"reports: http://127.0.0.1:{station.pages}" in printed
    assert "rest-em/math-demo" in printed
    assert station.note() == before
    assert {one["id"] for one in station.api.post("/deployments/filter", {})} == ids


def test_a_taken_port_is_said(station: Station, tmp_path) -> None:
    other = Station(tmp_path / "other", station.port, free_port())
    done = other.command("up", "--port", str(other.port), "--pages", str(other.pages))
    assert done.returncode == 2
    assert done.stderr == f"restem: --port {station.port}: taken; expected a free port\n"


@pytest.mark.station
def test_a_run_with_its_own_server_is_said(tmp_path) -> None:
    """Two servers on one SQLite file would fail in many ways."""
    other = Station(tmp_path / "other", free_port(), free_port())
    (other.home / "prefect").mkdir(parents=True)
    lock = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_SH); "
        "print(1, flush=True); sys.stdin.read()"
    )
    path = str(other.home / "prefect" / "users.lock")
    holder = subprocess.Popen(
        [sys.executable, "-c", lock, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout and holder.stdout.readline()
        done = other.command("up", "--port", str(other.port), "--pages", str(other.pages))
    finally:
        holder.communicate()
    assert done.returncode == 2
    assert "a run in this RESTEM_HOME has a server of its own" in done.stderr


@pytest.mark.parametrize("part", ["server", "worker", "pages_pid"])
def test_a_killed_part_comes_back(station: Station, part: str) -> None:
    station.kill(part)
    until(station.api.healthy)
    page = urllib.request.Request(
        f"http://127.0.0.1:{station.pages}/", headers=authorization(station.secret)
    )
    assert until(lambda: urllib.request.urlopen(page, timeout=60).status) == 200
    run = station.start(*TINY)
    station.wait_for(run, "COMPLETED")


def test_a_run_outlives_its_worker(station: Station) -> None:
    run = station.start(*TINY, "seed=11")
    pid = station.wait_for_work(run)
    station.kill("worker")
    assert station.engine(run) in (pid, None)  # it may be done by now, and nobody started another
    station.wait_for(run, "COMPLETED")
    assert station.api.get(f"/flow_runs/{run}")["run_count"] == 1


def test_a_run_outlives_its_server(station: Station) -> None:
    run = station.start(*TINY, "seed=12")
    station.wait_for_work(run)
    station.kill("server")
    station.wait_for(run, "COMPLETED")


@pytest.mark.parametrize("how", ["down", "supervisor", "guard"])
def test_nothing_is_left(station: Station, how: str) -> None:
    run = station.start(*LONG, f"seed=2{len(how)}")
    station.wait_for_work(run)
    pids = [process.pid for process in station.processes()]
    if how == "down":
        assert station.command("down").stdout == "down\n"
        assert station.command("down").stdout == "nothing was up\n"
    else:
        os.kill(station.note()["pid" if how == "supervisor" else "guard"], signal.SIGKILL)
        station.gone(pids)
        until(lambda: not station.processes())
    assert station.processes() == []
    # The run is there, is said to be dead, and is resumed by Retry.
    station.up()
    assert station.wait_for(run, "CRASHED")["message"]
    done = {step["artifact"] for step in station.steps(run)}
    station.retry(run)

    def goes_on() -> dict[str, str] | None:
        states = {step["artifact"]: step["state"] for step in station.steps(run)}
        return states if done < states.keys() else None

    states = until(goes_on)
    assert {states[artifact] for artifact in done} == {"Cached"}
    station.cancel(run)
