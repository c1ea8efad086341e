"""Cancel takes down the run and its children within 10 s, whoever is there to do it."""

from __future__ import annotations

import os
import signal

from tests.flows.station.conftest import LONG, Station, family, until


def test_cancel_under_the_worker(station: Station) -> None:
    run = station.start(*LONG, "seed=31")
    station.wait_for_work(run)
    station.cancel(run)
    until(lambda: station.slots() == 0)


def test_cancel_when_the_worker_was_killed(station: Station) -> None:
    run = station.start(*LONG, "seed=32")
    station.wait_for_work(run)
    station.kill("worker")
    station.cancel(run)
    until(lambda: station.slots() == 0)


def test_cancel_a_run_that_died(station: Station) -> None:
    """Nobody is left who could end it: the supervisor says so."""
    run = station.start(*LONG, "seed=33")
    pid = station.wait_for_work(run)
    # Neither may report the run before a person has pressed Cancel.
    worker, supervisor = station.pid("worker"), station.pid("pid")
    os.kill(worker, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(pid, signal.SIGKILL)
        station.set_state(run, "Cancelling")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    station.kill("worker")
    assert station.wait_for(run, "CANCELLED")
    until(lambda: station.slots() == 0)


def test_cancel_of_a_run_of_the_command_line(station: Station) -> None:
    """Nobody started it but its own shell; it sees its state itself."""
    flags = [part for change in (*LONG, "seed=34") for part in ("--set", change)]
    shell = station.popen("run", "math-demo", *flags)

    def mine() -> str | None:
        query = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
        found = [r["id"] for r in station.api.post("/flow_runs/filter", query)]
        return found[0] if len(station.steps(found[0])) > 2 else None

    run = until(mine)
    pids = family(shell.pid)
    station.set_state(run, "Cancelling")
    station.gone(pids)
    station.wait_for(run, "CANCELLED")
    assert shell.wait() == 1


def test_cancel_under_serve(station: Station, tmp_path) -> None:
    """`restem serve` with the station's server: it signals the flow's process alone."""
    served = Station(tmp_path / "served", station.port, station.pages, station.home)
    serve = served.popen(
        "serve", PREFECT_API_URL=station.api.address, PREFECT_API_AUTH_STRING=station.secret
    )
    try:
        until(lambda: served.deployment("rest-em/local"))
        run = served.start(*LONG, name="rest-em/local")
        served.wait_for_work(run)
        served.cancel(run)
    finally:
        serve.terminate()
        pids = family(serve.pid)
        serve.wait(300)
    served.gone(pids)
    until(lambda: not served.processes())
