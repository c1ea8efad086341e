"""What Prefect does by itself: notices of failures and alarms, and an end for silent runs."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.recovery._suspension import suspend
from flows.server.access import authorization
from flows.station.automations import NOTIFY_VARIABLE
from tests.flows.station.conftest import ROOT, Station, until
from tests.small import TINY

NAMES = {
    "restem: notice of a failed run",
    "restem: heartbeat stopped",
    "restem: test accuracy fell",
    "restem: over-optimised",
}


def notices(station: Station) -> list[dict[str, Any]]:
    path = station.home / "prefect" / "notices.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["notice"] for line in lines]


def emit(station: Station, name: str, resource: dict[str, str], payload: dict[str, Any]) -> None:
    event = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": name,
        "resource": resource,
        "payload": payload,
    }
    station.api.post("/events", [event])


def _register(station: Station, silence: int, **env: str) -> None:
    """What `up` does, with other settings."""
    call = (
        "from datetime import timedelta; from flows.station.automations import *;"
        f"register_automations('http://127.0.0.1:{station.pages}', timedelta(seconds={silence}))"
    )
    subprocess.run(
        [sys.executable, "-c", call],
        cwd=ROOT,
        env=station.environment(
            PREFECT_API_URL=station.api.address,
            PREFECT_API_AUTH_STRING=station.secret,
            PREFECT_HOME=str(station.home / "prefect"),
            **env,
        ),
        check=True,
        timeout=600,
    )


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address of the user's own, and what it was told."""
    told: list[dict[str, Any]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/told", told
    server.shutdown()
    server.server_close()


def test_each_is_there_once(station: Station) -> None:
    station.up()
    found = [one["name"] for one in station.api.post("/automations/filter", {})]
    assert sorted(found) == sorted(NAMES)


def test_a_failed_run_gives_a_notice(
    station: Station, elsewhere: tuple[str, list[dict[str, Any]]]
) -> None:
    address, told = elsewhere
    _register(station, 120, **{NOTIFY_VARIABLE: address})
    try:
        run = station.start(*TINY, 'model.base="package:no_such_package"')
        state = station.wait_for(run, "FAILED")
        name = station.api.get(f"/flow_runs/{run}")["name"]
        (notice,) = until(lambda: [n for n in notices(station) if n.get("run") == name])
        assert state["message"] in notice["text"]
        assert notice["link"].endswith(run)
        assert until(lambda: notice in told)
    finally:
        _register(station, 120)
    link = http.client.HTTPConnection("127.0.0.1", station.pages)
    link.request("GET", "/notices", headers=authorization(station.secret))
    assert "no_such_package" in link.getresponse().read().decode()


def test_falling_accuracy_gives_a_notice(station: Station) -> None:
    resource = {"prefect.resource.id": "restem.run.demo-7", "prefect.resource.name": "demo-7"}
    words = 'iteration 2: test accuracy fell from 0.5 to 0.4 "while" training accuracy rose'
    emit(station, "restem.accuracy.fell", resource, {"iteration": 2, "message": words})
    (notice,) = until(lambda: [n for n in notices(station) if n.get("run") == "demo-7"])
    assert notice["text"] == f"demo-7: {words}"


def test_an_over_optimised_policy_gives_a_notice(station: Station) -> None:
    resource = {"prefect.resource.id": "restem.run.demo-8", "prefect.resource.name": "demo-8"}
    words = "iteration 2: over-optimised: since the base policy the reward"
    emit(station, "restem.reward.parted", resource, {"iteration": 2, "message": words})
    (notice,) = until(lambda: [n for n in notices(station) if n.get("run") == "demo-8"])
    assert (notice["kind"], notice["text"]) == ("over-optimised", f"demo-8: {words}")


def _beats_once(station: Station) -> str:
    """A run that no process here has, of which one heartbeat has come."""
    flow = station.api.post("/flows/", {"name": "elsewhere"})["id"]
    state = {"type": "RUNNING", "name": "Running"}
    run = station.api.post("/flow_runs/", {"flow_id": flow, "state": state})["id"]
    name, resource = "prefect.flow-run.heartbeat", f"prefect.flow-run.{run}"
    emit(station, name, {"prefect.resource.id": resource}, {})
    beats = {"filter": {"event": {"name": [name]}, "resource": {"id": [resource]}}}
    until(lambda: station.api.post("/events/filter", beats)["events"])
    return run


def test_a_silent_run_is_marked(station: Station) -> None:
    """A run of another host: nothing here knows its process."""
    _register(station, 10)
    try:
        run = _beats_once(station)
        state = station.wait_for(run, "CRASHED")
        assert "No sign of life" in state["message"]
    finally:
        _register(station, 120)


def test_a_station_that_slept_takes_no_run_for_dead_before_it_could_beat(station: Station) -> None:
    """Of another host, whose runs beat again when the network is back."""
    try:
        for silence in (10, 60):
            _register(station, silence)
            run = _beats_once(station)
            asleep = time.time()
            suspend(station.note()["guard"], seconds=silence + 10.0)
            marked = datetime.fromisoformat(station.wait_for(run, "CRASHED")["timestamp"])
            if marked.timestamp() > asleep:
                break  # else this process was so slow that the station did not sleep in time
        assert marked.timestamp() > asleep + silence + 10.0 + silence
    finally:
        _register(station, 120)
