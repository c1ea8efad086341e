"""Faults of the store for `restem bench chaos`: full, away, emptied, cleaned, shared."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.recovery._chaos_processes import quiet
from bench.recovery._chaos_station import Station, changes
from flows.config.rest_em import RestEmConfig

# How long a disk stays full and a store stays away.
FULL_SECONDS = 3.0
AWAY_SECONDS = 3.0
DISK_MB = 400
USERS_MISTAKE = 2
# Whether a store knows the homes that use it; before, a cleaning by another home removed all.
_KNOWS_HOMES = importlib.util.find_spec("flows.runs.store_use") is not None


class StoreFaults:
    """Faults of one station's store; a violation ends the bench."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._other = station.home.with_name("other-home")
        self.config: RestEmConfig | None = None  # of the run that is disturbed

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Those that a run can meet here."""
        found: dict[str, Callable[[], bool]] = {"store away": self.away, "gc": self.gc}
        if os.path.ismount(self._station.store.parent):
            found["disk full"] = self.disk_full
        # Each of these needs what another room of the product brings.
        if importlib.util.find_spec("flows.runs.lost_store"):
            found["store emptied"] = self.emptied
        if _KNOWS_HOMES:
            found["second home"] = self.second_home
        return found

    def disk_full(self) -> bool:
        """Fill the store's disk for a while."""
        ballast = self._station.store.parent / "ballast"
        try:
            with ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 2**20)
                    file.flush()
        except OSError as error:
            assert error.errno == errno.ENOSPC
        time.sleep(FULL_SECONDS)
        ballast.unlink()
        return True

    def away(self) -> bool:
        """Take the store's folder away for a while."""
        with self._moved_away():
            time.sleep(AWAY_SECONDS)
        return True

    def emptied(self) -> bool:
        """An empty folder in the store's place: a start asks, and nothing is made in it."""
        if self.config is None or not list(self._station.store.glob("[!.]*/*/manifest.json")):
            return False
        if not (self._station.home / "runs" / self.config.run_id / "steps.jsonl").is_file():
            return False  # the run has not begun: it misses nothing yet
        with self._moved_away():
            self._station.store.mkdir()
            done = self._station.command("resume", self.config.run_id)
            said = done.stderr.strip()
            if done.returncode != USERS_MISTAKE or "rebuild" not in said:
                raise SystemExit(f"resume with an emptied store: {done.returncode}, {said!r}")
        return True

    def gc(self) -> bool:
        """Clean the store while a run starts or is at work."""
        return self._clean(self._station.home)

    def second_home(self) -> bool:
        """Another home uses the store: at first it has a run of its own there, then it cleans."""
        if self.config is None:
            return False
        if not self._other.exists():
            asked = changes(self.config.seed, self._station.store)
            sets = [part for change in asked for part in ("--set", change)]
            done = self._station.command("run", self.config.name, *sets, home=self._other)
            if done.returncode:
                raise SystemExit(f"a run of another home: {done.stderr.strip()[-300:]}")
        return self._clean(self._other)

    def _clean(self, home: Path) -> bool:
        store = str(self._station.store)
        young = ("--older-than", "0") if _KNOWS_HOMES else ()
        done = self._station.command(
            *("store", "gc", "--delete", "--store", store, *young), home=home
        )
        if done.returncode not in (0, USERS_MISTAKE) or "Traceback" in done.stderr:
            raise SystemExit(f"store gc: {done.returncode}, {done.stderr.strip()[-300:]}")
        return True

    @contextlib.contextmanager
    def _moved_away(self) -> Iterator[None]:
        store = self._station.store
        away = store.with_name("away")
        store.rename(away)
        try:
            yield
        finally:
            made = [str(path) for path in store.rglob("*")] if store.exists() else []
            if made:
                raise SystemExit(f"the store was made anew while it was away: {made[:5]}")
            with contextlib.suppress(FileNotFoundError):
                store.rmdir()
            away.rename(store)


def mount(folder: Path) -> bool:
    """Give a folder a small disk of its own; only root may."""
    folder.mkdir(parents=True)
    options = f"size={DISK_MB}m"
    return os.geteuid() == 0 and not quiet(
        "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)
    )


def unmount(folder: Path) -> None:
    """Take it away."""
    if os.path.ismount(folder):
        quiet("umount", "-l", str(folder))
