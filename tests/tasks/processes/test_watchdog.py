"""A child that gives no sign of life is killed; one that works, however quietly, is not."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tasks.processes import watchdog
from tasks.processes.child import Child, Silent
from tasks.processes.watchdog import LEAST_BYTES, Watchdog, moved_bytes
from tasks.processes.wire import Message
from tests.tasks.processes.test_child import ECHO, gone

pytestmark = pytest.mark.usefixtures("light")

LIMIT = 1.5


class Clock:
    """The watchdog's clock, which goes on when a test says so: no child is late on a busy machine.

    Attributes:
        now: Seconds.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._looks = 0
        self._looked = threading.Condition()

    def silent_since(self, moment: float) -> float:
        with self._looked:
            self._looks += 1
            self._looked.notify_all()
            return self.now - moment

    def go_on(self, seconds: float) -> None:
        """Until the watchdog has looked at the new time."""
        with self._looked:
            self.now += seconds
            looks = self._looks
            assert self._looked.wait_for(lambda: self._looks > looks, 300)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(watchdog, "awake", lambda: found.now)
    monkeypatch.setattr(watchdog, "silent_since", found.silent_since)
    return found


def test_one_that_hangs_is_killed_and_named(log: Path) -> None:
    with Child.module(ECHO, log=log) as child:
        with pytest.raises(Silent, match=r"no sign of life for 1\.5 s; log: .*child\.log"):
            child.call({"do": "hang"}, stall=LIMIT)
        assert gone([child.pid])


def test_one_that_is_stopped_is_killed(log: Path) -> None:
    with Child.module(ECHO, log=log) as child:
        child.call({"do": "nothing"})
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(Silent):
            child.call({"do": "work slowly"}, stall=LIMIT)
        assert gone([child.pid])


@pytest.mark.slow
def test_one_that_says_so_now_and_then_is_left_alone(
    log: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = Watchdog.hear

    def heard(watch: Watchdog) -> None:
        hear(watch)
        clock.go_on(0.9 * LIMIT)

    monkeypatch.setattr(Watchdog, "hear", heard)
    with Child.module(ECHO, log=log) as child:
        assert child.call({"do": "beat", "beats": 8}, stall=LIMIT) == {}
    assert clock.now > 2 * LIMIT


@pytest.mark.slow
def test_one_that_moves_bytes_is_left_alone(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough, over = tmp_path / "enough", 0
    with Child.module(ECHO, log=log) as child:
        # Time goes on as the child writes, however long that takes.
        bytes_of_limit = 8 * LEAST_BYTES

        def awake() -> float:
            return LIMIT * sum(moved_bytes(child.pid).values()) / bytes_of_limit

        def silent_since(moment: float) -> float:
            nonlocal over
            silent = awake() - moment
            over += silent >= LIMIT
            if over == 3:
                enough.touch()
            return silent

        monkeypatch.setattr(watchdog, "awake", awake)
        monkeypatch.setattr(watchdog, "silent_since", silent_since)
        assert child.call({"do": "move bytes", "until": str(enough)}, stall=LIMIT) == {}
    assert over >= 3


@pytest.mark.slow
def test_it_owes_no_sign_while_it_is_kept_waiting(log: Path, clock: Clock) -> None:
    def slowly(question: Message) -> Message:
        clock.now += 2 * LIMIT
        time.sleep(LIMIT)  # so that the watchdog looks
        return question

    with Child.module(ECHO, log=log) as child:
        assert child.call({"do": "ask"}, on_ask=slowly, stall=LIMIT)


def test_no_watch_is_left_behind(log: Path) -> None:
    before = set(threading.enumerate())  # another test's may be ending
    with Child.module(ECHO, log=log) as child:
        for _ in range(3):
            child.call({"do": "nothing"}, stall=300.0)
    assert not [one for one in set(threading.enumerate()) - before if "_watch" in one.name]
