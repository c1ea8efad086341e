"""A run whose whole station was asleep goes on where it was; nobody calls it dead.

The sleep is simulated by SIGSTOP to the station's tree (bench/recovery/_suspension.py).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bench.recovery._suspension import suspend
from flows.server import after_sleep
from sandbox.awake import AwakeClock
from tests.flows.station.conftest import Station, until
from tests.small import TINY


def test_it_goes_on_and_ends_well(station: Station) -> None:
    run = station.start(*TINY, "seed=71")
    station.wait_for_work(run)
    pid, before = station.engine(run), station.note()
    suspend(before["guard"], seconds=25.0)
    until(station.api.healthy)
    assert station.engine(run) in (pid, None)  # it may be done by now, but nobody started another
    station.wait_for(run, "COMPLETED")
    assert station.note()["restarts"] == before["restarts"]
    assert station.api.get(f"/flow_runs/{run}")["run_count"] == 1


@pytest.mark.parametrize(("monotonic", "wall"), [(0.0, 600.0), (600.0, 600.0), (0.0, 3600.0)])
def test_a_slot_is_kept_until_its_holder_could_renew_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monotonic: float, wall: float
) -> None:
    """Else Prefect ends a run that slept for five minutes, to keep to the limit."""
    now = [0.0, 0.0]
    clock = AwakeClock(lambda: now[0], lambda: now[1])

    def go(monotonic: float, wall: float) -> None:
        now[0] += monotonic
        now[1] += wall
        clock.now()

    monkeypatch.setattr(after_sleep, "clock", lambda: clock)
    monkeypatch.setattr(after_sleep, "awake", clock.now)
    monkeypatch.setattr(after_sleep, "_started", -after_sleep.LEASE_SECONDS)
    storage = after_sleep.ConcurrencyLeaseStorage(tmp_path)
    lease = asyncio.run(storage.create_lease([uuid4()], timedelta(seconds=-1)))

    def over() -> bool:
        return lease.id in asyncio.run(storage.read_expired_lease_ids())

    assert over()  # as it would be for a run that is dead
    go(monotonic, wall)
    assert not over()
    for _ in range(int(after_sleep.LEASE_SECONDS)):
        go(1.0, 1.0)
    assert over()
