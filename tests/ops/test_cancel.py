"""Cancel takes down the run and its children within 10 s, whoever is there to do it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from flows.ops.http import Api
from tests.ops.conftest import LONG, ROOT, Station, family, until


def test_cancel_under_the_worker(station: Station) -> None:
    run = station.start(*LONG, "seed=31")
    station.wait_for_work(run)
    station.cancel(run)
    until(lambda: station.slots() == 0, 10.0)


def test_cancel_when_the_worker_was_killed(station: Station) -> None:
    run = station.start(*LONG, "seed=32")
    station.wait_for_work(run)
    station.kill("worker")
    station.cancel(run)
    until(lambda: station.slots() == 0, 10.0)


def test_cancel_a_run_that_died(station: Station) -> None:
    """Nobody is left who could end it: the keeper says so."""
    run = station.start(*LONG, "seed=33")
    pid = station.wait_for_work(run)
    os.kill(station.pid("worker"), signal.SIGSTOP)  # it must not report the run first
    os.kill(pid, signal.SIGKILL)
    station.set_state(run, "Cancelling")
    station.kill("worker")
    assert station.wait_for(run, "CANCELLED")
    until(lambda: station.slots() == 0, 10.0)


def test_cancel_under_serve(station: Station, tmp_path) -> None:
    """`restem serve` with the station's server: it signals the flow's process alone."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    home = tmp_path / "served"
    api = Api(station.api.address)
    serve = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "serve"],
        cwd=ROOT,
        env={**plain, "RESTEM_HOME": str(home), "PREFECT_API_URL": api.address},
        stdout=subprocess.DEVNULL,
    )
    served = Station(home, station.port, station.pages)
    try:
        until(lambda: api.get("/deployments/name/rest-em/local"))
        run = served.start(*LONG, name="rest-em/local")
        served.wait_for_work(run)
        served.cancel(run)
    finally:
        serve.terminate()
        pids = family(serve.pid)
        serve.wait(60)
    served.gone(pids)
    assert served.processes() == []
