"""Samples of a hosted model: what is paid for, and what was paid for and is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.decoding.request import Sampling
from tasks.errors import StepError
from tasks.generate.hosted import engine as hosted
from tasks.generate.hosted.answers import FILE
from tasks.generate.hosted.engine import HostedEngine
from tasks.generate.hosted.service import HostedModel
from tasks.paths import ROOT
from tests.tasks.generate.hosted_parts import (
    SAMPLING,
    Reply,
    engine,
    failed,
    prompts,
    quick,  # noqa: F401 - fixture
    said,
    sampled,
    serving,
)


def test_tokens_and_money_are_counted_by_the_services_own_numbers(home: Path) -> None:
    found, _ = sampled(lambda *_: said("4"), home, [(0, seed) for seed in range(10)], "?")
    assert sum(one.tokens for one in found) == 70 and found.input_tokens == 110
    assert found.money == pytest.approx((2.0 * 110 + 10.0 * 70) / 1e6)


def test_a_service_that_counts_nothing_costs_nothing_that_we_know(home: Path) -> None:
    reply = Reply({"choices": [{"finish_reason": "stop", "message": {"content": "4"}}]})
    found, _ = sampled(lambda *_: reply, home, [(0, 1)], "?")
    assert (found[0].tokens, found.input_tokens, found.money) == (0, 0, 0)


def test_what_was_answered_is_never_asked_again(home: Path) -> None:
    """In whatever shards: some of these, others cut otherwise, all at once."""
    with serving(lambda request, _: said(str(request["seed"]))) as service:
        for asked in ([(0, 1), (0, 2)], [(0, 2), (0, 3)], [(0, 1), (0, 2), (0, 3)]):
            with engine(service, home) as made:
                found = made.sample(prompts("?"), asked, SAMPLING)
            assert [one.text for one in found] == [str(seed) for _, seed in asked]
            assert found.input_tokens == 11 * len(asked)
        assert len(service.requests) == 3


CHANGES: dict[str, Callable[[], Sampling]] = {
    "temperature": lambda: Sampling(temperature=0.8, top_p=0.9, max_tokens=50),
    "top_p": lambda: Sampling(temperature=0.7, top_p=0.8, max_tokens=50),
    "max_tokens": lambda: Sampling(temperature=0.7, top_p=0.9, max_tokens=51),
    "stop": lambda: Sampling(temperature=0.7, top_p=0.9, max_tokens=50, stop=("x",)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_asked_otherwise_is_asked_anew(home: Path, change: Callable[[], Sampling]) -> None:
    with serving(lambda *_: said("4")) as service, engine(service, home) as made:
        made.sample(prompts("?"), [(0, 1)], SAMPLING)
        made.sample(prompts("?"), [(0, 1)], change())
        assert len(service.requests) == 2


def test_two_shards_at_once_share_the_bound(home: Path) -> None:
    third = threading.Event()

    def answer(request: dict, number: int) -> Reply:
        if number == 2:
            third.set()
        return Reply(said(str(request["seed"])).body, wait=third if number < 2 else None)

    with serving(answer) as service, engine(service, home, requests=3) as made:
        shards = [[(0, 100 * shard + i) for i in range(20)] for shard in (1, 2)]
        with ThreadPoolExecutor(2) as threads:
            both = list(threads.map(lambda one: made.sample(prompts("?"), one, SAMPLING), shards))
    assert [[one.text for one in found] for found in both] == [
        [str(s) for _, s in one] for one in shards
    ]
    assert service.most_at_once == 3


def test_what_is_under_way_when_a_run_ends_early_is_heard_and_kept(home: Path) -> None:
    ended = threading.Event()

    def answer(request: dict, number: int) -> Reply:
        if number == 7:  # three others are under way
            ended.set()
            return failed(402, "Pay")
        return Reply(said(str(request["seed"])).body, wait=ended if number > 3 else None)

    asked = [(0, seed) for seed in range(20)]
    with serving(answer) as service:
        with engine(service, home) as made, pytest.raises(StepError, match="Pay"):
            made.sample(prompts("?"), asked, SAMPLING)
        heard = len(service.requests)  # all answered but one
        with engine(service, home) as made:
            found = made.sample(prompts("?"), asked, SAMPLING)
        assert len(service.requests) == heard + 20 - (heard - 1)
    assert [one.text for one in found] == [str(seed) for seed in range(20)]


def test_closing_ends_what_is_under_way(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "GRACE_SECONDS", 0.1)
    never, reached = threading.Event(), threading.Event()

    def answer(request: dict, number: int) -> Reply:
        reached.set()
        return Reply(said("4").body, wait=never)

    with serving(answer) as service, engine(service, home) as made:
        with ThreadPoolExecutor(1) as threads:
            waits = threads.submit(made.sample, prompts("?"), [(0, 1)], SAMPLING)
            assert reached.wait(300)
            made.close()
            with pytest.raises(StepError, match="was closed"):
                waits.result(300)
        never.set()


KILLED = """
import os, sys
from pathlib import Path
from tests.tasks.generate.hosted_parts import SAMPLING, Service, engine, prompts
with engine(Service(sys.argv[1]), Path(sys.argv[2])) as made:
    made.sample(prompts("?"), [(0, seed) for seed in range(30)], SAMPLING)
"""


def test_a_kill_in_the_middle_pays_again_for_what_was_under_way_alone(home: Path) -> None:
    never, held = threading.Event(), threading.Event()

    def answer(request: dict, number: int) -> Reply:
        if number < 12:
            return said(str(request["seed"]))
        if number >= 15:  # four are under way
            held.set()
        return Reply(said("lost").body, wait=None if never.is_set() else never)

    with serving(answer) as service:
        command = [sys.executable, "-c", KILLED, service.address, str(home)]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert held.wait(300)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(service.requests) == 16
        never.set()
        with engine(service, home) as made:
            found = made.sample(prompts("?"), [(0, seed) for seed in range(30)], SAMPLING)
    assert len(service.requests) == 16 + 30 - 12
    assert sum(one.text != "lost" for one in found) == 12
    assert found.input_tokens == 11 * 30


def test_a_damaged_file_of_answers_is_one_line(home: Path) -> None:
    home.mkdir()
    (home / FILE).write_bytes(b"no database at all" * 1000)
    with pytest.raises(StepError, match=r"answers\.sqlite: .* move it away"):
        HostedEngine(
            HostedModel("m", "http://a"), "", home / FILE, requests=1, prices=(0, 0), stall=1
        )
