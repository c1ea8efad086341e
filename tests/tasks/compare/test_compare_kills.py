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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.dag.step import perform
from tasks.generate.replicas import _Replica, _Work
from tasks.paths import ROOT
from tasks.processes.wire import Message
from tasks.rows import PREFERENCES_FILE, read_rows
from tasks.store.store import Store
from tests.tasks.compare.compare_parts import JUDGE, POSTS, drawn, machine

pytestmark = pytest.mark.engine
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


def test_an_engine_that_is_killed_on_the_way_changes_no_bit(
    compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request loses its engine once, before it has an answer: the batches stay the same.

    Others move the last bit of a sum, in which a sample or a label may differ now and then.
    """
    heard = Counter[_Work[Any]]()  # messages of each request
    where: dict[_Work[Any], _Replica] = {}
    killed: dict[_Work[Any], int] = {}
    call_of, take, turn = _Replica._call, _Work.take, threading.Lock()

    def note(replica: _Replica, work: _Work[Any], places: list[int]) -> Message:
        where[work] = replica
        return call_of(replica, work, places)

    def take_and_kill(work: _Work[Any], places: list[int], message: Message) -> None:
        take(work, places, message)
        with turn:
            heard[work] += 1
            # At the first message of the first request, at the second of another, and so on.
            alike = work not in killed and not work._done
            if alike and heard[work] == len(killed) + 1 <= KILLS:
                connection = where[work].connection
                assert connection is not None
                killed[work] = connection.child.pid
                os.kill(connection.child.pid, signal.SIGKILL)

    with machine(compared.copy(tmp_path / "home")) as services:
        call = drawn(services, JUDGE)
        services.release_engine()
        monkeypatch.setattr(_Replica, "_call", note)
        monkeypatch.setattr(_Work, "take", take_and_kill)
        again = perform(call, services.runtime)
    assert killed
    assert again.digest == compared.ref.digest
