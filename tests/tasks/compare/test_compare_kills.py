"""A comparison that is killed at any moment ends with the digest of one that was left alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.dag.step import perform
from tasks.generate.replicas import ChildEngine
from tasks.paths import ROOT
from tasks.rows import PREFERENCES_FILE, read_rows
from tasks.store.store import Store
from tests.tasks.compare.compare_parts import JUDGE, POSTS, drawn, machine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
KILLS = 3


class Compared:
    """Samples in a home, and what comparing them gives."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with machine(home) as services:
            call = drawn(services, JUDGE)
            began = time.monotonic()
            self.ref = perform(call, services.runtime)
            self.seconds = time.monotonic() - began
            self.rows = list(read_rows(services.runtime.store.path(self.ref) / PREFERENCES_FILE))

    def copy(self, home: Path) -> Path:
        """A home with the samples, in which nothing is compared yet."""
        shutil.copytree(self.home, home)
        shutil.rmtree(home / "store" / self.ref.location)
        return home


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    yield Compared(tmp_path_factory.mktemp("compared") / "home")


def test_every_pair_has_a_label_of_both_orders(compared: Compared) -> None:
    assert len({row["problem_id"] for row in compared.rows}) > POSTS / 2
    for row in compared.rows:
        assert row["status"] == "judged"
        assert row["p"] == pytest.approx((row["p_first"] + row["p_second"]) / 2)


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_process_goes_on_to_the_same_digest(
    compared: Compared, tmp_path: Path, seed: int
) -> None:
    home = compared.copy(tmp_path / "home")
    command = [sys.executable, "-m", "tests.tasks.compare.compare_parts", str(home)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RESTEM_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "drawn\n"
    time.sleep(random.Random(seed).uniform(0, compared.seconds))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    store = Store(str(home / "store"), cache=home / "cache")
    store.sweep_drafts()
    with machine(home) as services:
        call = drawn(services, JUDGE)
        again = store.lookup(call.step.kind, call.key) or perform(call, services.runtime)
    assert again.digest == compared.ref.digest


def loaded(engine: object) -> list[int]:
    """Children that have said something; two that die before they load are an engine's fault."""
    replicas = engine._replicas if isinstance(engine, ChildEngine) else []
    up = [replica.connection for replica in replicas]
    return [one.child.pid for one in up if one is not None and one.spoke]


def test_an_engine_that_is_killed_on_the_way_changes_no_bit(
    compared: Compared, tmp_path: Path
) -> None:
    said: list[str] = []
    killed: list[int] = []
    over = threading.Event()
    with machine(compared.copy(tmp_path / "home"), said.append) as services:
        call = drawn(services, JUDGE)
        services.release_engine()

        def kill() -> None:
            draw = random.Random(5)
            while len(killed) < KILLS and not over.is_set():
                time.sleep(draw.uniform(0, compared.seconds / 4))
                for pid in [pid for pid in loaded(services._engine) if pid not in killed][:1]:
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        again = perform(call, services.runtime)
        over.set()
        killer.join()
    assert killed and any("started again" in one for one in said)
    assert again.digest == compared.ref.digest
