"""A back-up of a station at work, restored elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.station.conftest import LONG, Station
from tests.ports import free_port
from tests.small import TINY

pytestmark = pytest.mark.station


def test_a_back_up_of_a_station_at_work_is_a_station(station: Station, tmp_path: Path) -> None:
    done = station.start(*TINY, "seed=61")
    station.wait_for(done, "COMPLETED")
    name = station.api.flow_run(done).name
    steps = len(station.steps(done))
    going = station.start(*LONG, "seed=62")
    station.wait_for_work(going)

    target = tmp_path / "backup.tar.gz"
    made = station.command("backup", str(target), "--store")
    assert made.returncode == 0, made.stderr
    assert station.state(going)["type"] == "RUNNING"  # it is not disturbed
    station.cancel(going)

    other = Station(tmp_path / "other", free_port(), free_port())
    restored = other.command("restore", str(target))
    assert restored.returncode == 0, restored.stderr
    try:
        other.up()
        assert other.secret != station.secret
        shown = other.api.flow_runs("COMPLETED", "RUNNING", "CRASHED")
        assert {done, going} <= {run.id for run in shown}
        # What was under way when the back-up was made is not taken for alive.
        other.wait_for(going, "CRASHED")
        assert other.command("status", name).returncode == 0
        again = other.start(*TINY, "seed=61")
        other.wait_for(again, "COMPLETED")
        states = [step["state"] for step in other.steps(again)]
        assert states == ["Cached"] * steps
        refused = other.command("restore", str(target))
        assert refused.returncode == 2 and "restem down" in refused.stderr
    finally:
        other.command("down")
        other.end()
