"""Runs that a schedule starts, and runs that are started at once."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from flows.config.rest_em import load_config
from flows.server.api import ApiError
from tests.flows.station.conftest import PATIENCE, Station, until
from tests.small import TINY

NAME = "rest-em/math-demo"
# More often than a run takes: a run that is late waits for the deployment's slot.
EVERY_SECONDS = 10


def _scheduled(station: Station, count: int, *changes: str) -> list[str]:
    """So many finished runs of a schedule that is switched on for this."""
    deployment = station.deployment(NAME)
    config = load_config("math-demo", [*TINY, *changes]).model_dump(mode="json")
    wanted = {
        "schedule": {"interval": EVERY_SECONDS, "timezone": "UTC"},
        "active": True,
        "slug": f"test-{time.monotonic_ns()}",
        "parameters": {"config": config},
    }
    schedules = f"/deployments/{deployment['id']}/schedules"
    (made,) = station.api.post(schedules, [wanted])
    try:

        def finished() -> list[dict[str, Any]] | None:
            query = {
                "flow_runs": {
                    "tags": {"all_": ["auto-scheduled"]},
                    "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}},
                },
                "sort": "START_TIME_ASC",
            }
            found = [
                run
                for run in station.api.post("/flow_runs/filter", query)
                if run["created_by"]["id"] == made["id"]
            ]
            return found if len(found) >= count else None

        runs = until(finished, 2 * PATIENCE)
    finally:
        station.api.patch(f"{schedules}/{made['id']}", {"active": False})
        _drop_the_rest(station)
    assert [run["state"]["type"] for run in runs] == ["COMPLETED"] * len(runs)
    return [run["id"] for run in runs]


def _drop_the_rest(station: Station) -> None:
    """Cancel what is scheduled or under way."""
    query = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}}}}
    for run in station.api.post("/flow_runs/filter", query):
        kind = "Cancelled" if run["state"]["type"] == "SCHEDULED" else "Cancelling"
        with contextlib.suppress(ApiError):  # the server removes those of a schedule that is off
            station.set_state(run["id"], kind)
    query["flow_runs"]["state"]["type"]["any_"] += ["CANCELLING"]
    until(lambda: station.api.post("/flow_runs/count", query) == 0)


def test_the_second_run_of_a_schedule_is_all_cached(station: Station) -> None:
    first, second = _scheduled(station, 2, "seed=41")[:2]
    assert _name(station, first) == _name(station, second)
    # The journal is the last attempt's, and that may be a third one which was cancelled at its
    # start; the server's word is the task runs, told it by events.
    assert {step["state"] for step in station.steps(second)} <= {"Cached"}
    until(lambda: _states(station, second) == {"Cached"})
    until(lambda: "Completed" in _states(station, first))


def test_a_schedule_with_fresh_seeds_draws_anew(station: Station) -> None:
    first, second = _scheduled(station, 2, "fresh_seed=true")[:2]
    assert _name(station, first) != _name(station, second)
    steps = {step["step"]: step["state"] for step in station.steps(second)}
    assert steps["base model"] == "Cached"
    assert steps["generate draw"] == "Completed"


def test_runs_started_at_once_queue(station: Station) -> None:
    runs = [station.start(*TINY, f"seed={seed}") for seed in (51, 52)]
    runs.append(station.start(*TINY, "seed=51"))
    for run in runs:
        station.wait_for(run, "COMPLETED", patience=2 * PATIENCE)
    turns = sorted(_turn(station, run) for run in runs)
    for (_, ended), (began, _) in pairwise(turns):
        assert ended <= began
    # Whichever of the two equal ones came second.
    until(lambda: any(_states(station, runs[n]) == {"Cached"} for n in (0, 2)))
    until(lambda: station.slots() == 0)


def test_the_same_run_from_two_places_does_its_work_once(station: Station) -> None:
    """One by the worker, one by the command line beside it."""
    run = station.start(*TINY, "seed=53")
    flags = [part for change in (*TINY, "seed=53") for part in ("--set", change)]
    station.wait_for(run, "RUNNING", "COMPLETED")
    done = station.command("run", "math-demo", *flags)
    assert done.returncode == 0, done.stderr
    station.wait_for(run, "COMPLETED")
    keys = [path.parent.name for path in (station.home / "store").glob("[!.]*/*/manifest.json")]
    assert len(keys) == len(set(keys))
    assert {step["state"] for step in station.steps(run)} == {"Cached"}


def _turn(station: Station, run: str) -> tuple[datetime, datetime]:
    """From when to when a run was at work."""
    states = station.api.get(f"/flow_run_states/?flow_run_id={run}")
    times: dict[str, list[datetime]] = {}
    for state in states:
        times.setdefault(state["type"], []).append(datetime.fromisoformat(state["timestamp"]))
    return min(times["RUNNING"]), max(times["COMPLETED"])


def _name(station: Station, run: str) -> str:
    return station.api.get(f"/flow_runs/{run}")["name"]


def _states(station: Station, run: str) -> set[str]:
    query = {"task_runs": {"flow_run_id": {"any_": [run]}}, "limit": 200}
    return {task["state_name"] for task in station.api.post("/task_runs/filter", query)}


@pytest.fixture(autouse=True)
def _quiet(station: Station):
    yield
    _drop_the_rest(station)
