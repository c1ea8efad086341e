"""A child that gives no sign of life is killed; one that works, however quietly, is not."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tasks.processes.child import Child, Silent
from tasks.processes.wire import Message
from tests.tasks.processes.test_child import ECHO, gone

pytestmark = pytest.mark.usefixtures("light")

LIMIT = 1.5


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
@pytest.mark.parametrize(
    "request_", [{"do": "beat", "beats": 20}, {"do": "move bytes", "seconds": 4 * LIMIT}]
)
def test_one_that_works_is_left_alone(log: Path, request_: Message) -> None:
    with Child.module(ECHO, log=log) as child:
        assert child.call(request_, stall=LIMIT) == {}


@pytest.mark.slow
def test_it_owes_no_sign_while_it_is_kept_waiting(log: Path) -> None:
    def slowly(question: Message) -> Message:
        time.sleep(2 * LIMIT)
        return question

    with Child.module(ECHO, log=log) as child:
        assert child.call({"do": "ask"}, on_ask=slowly, stall=LIMIT)


def test_no_watch_is_left_behind(log: Path) -> None:
    with Child.module(ECHO, log=log) as child:
        child.call({"do": "nothing"}, stall=LIMIT)
        before = threading.active_count()
        for _ in range(3):
            child.call({"do": "nothing"}, stall=LIMIT)
        assert threading.active_count() == before
