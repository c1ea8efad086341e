"""The faults of `restem bench chaos`: what is killed, stopped, filled or taken away."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable

from bench.recovery._chaos_clock import WallClock
from bench.recovery._chaos_processes import child_of, containers_of, flows_of, quiet, send
from bench.recovery._chaos_station import Station
from bench.recovery._chaos_store import StoreFaults
from bench.recovery._postgres import Postgres
from bench.recovery._suspension import suspend

# How long all of a station sleeps.
ASLEEP_SECONDS = 6.0
# How far the clock is set, in turn. Back by little: what is due waits until its time comes again.
CLOCK_MOVES = (2 * 3600, -20)
# After these alone no run may end: nobody died.
HARMLESS = frozenset({"suspend", "clock jump", "trainer stopped", "gc", "second home"})


class Faults:
    """Faults of one station.

    Each method does its fault and returns whether there was anything to do it to; a trainer, say,
    lives for seconds only.
    """

    def __init__(
        self, station: Station, postgres: Postgres | None = None, clock: WallClock | None = None
    ) -> None:
        self._station, self._postgres, self._clock = station, postgres, clock
        self._moves = itertools.cycle(CLOCK_MOVES)
        self.store = StoreFaults(station)

    def kinds(self, domain: str) -> dict[str, Callable[[], bool]]:
        """The faults that a run of a domain can meet here."""
        found: dict[str, Callable[[], bool]] = {
            "worker": lambda: send(self._station.note["worker"]),
            "flow": lambda: any(send(pid) for pid in flows_of(self._station)),
            "engine": lambda: send(child_of(self._station, "samples")),
            "trainer": lambda: send(child_of(self._station, "model")),
            "trainer stopped": lambda: send(child_of(self._station, "model"), signal.SIGSTOP),
            "server": lambda: send(self._station.note["server"]),
            "suspend": self.suspend,
            **self.store.kinds(),
        }
        if domain == "code":
            found["container"] = self.container
        if self._clock is not None:
            found["clock jump"] = self.clock_jump
        if self._postgres is not None:
            found["postgres"] = self.postgres
        else:
            found["database damaged"] = self.damage_database
        return found

    def container(self) -> bool:
        """Kill a sandbox's container."""
        ids = containers_of(self._station)
        return bool(ids) and quiet("docker", "kill", ids[0]) == 0

    def suspend(self) -> bool:
        """Stop all of the station's processes for a while, as a machine that sleeps does."""
        suspend(self._station.note["guard"], seconds=ASLEEP_SECONDS)
        return True

    def clock_jump(self) -> bool:
        """Set the wall clock of all of the station's processes."""
        assert self._clock is not None
        self._clock.move(next(self._moves))
        return True

    def damage_database(self) -> bool:
        """Write over the file of Prefect's database, below the server."""
        path = self._station.home / "prefect" / "prefect.db"
        if not path.exists():
            return False
        path.write_bytes(os.urandom(200_000))
        return True

    def postgres(self) -> bool:
        """Kill the database and start it again."""
        assert self._postgres is not None
        self._postgres.kill()
        time.sleep(2.0)
        self._postgres.start()
        return True
