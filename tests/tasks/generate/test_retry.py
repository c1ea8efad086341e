"""Engines that die or hang: nothing that was sampled is lost, and only the guilty prompt is."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.decoding.request import Sampling
from tasks.errors import StepError
from tasks.generate import connection
from tasks.generate.replicas import ChildEngine
from tasks.processes.child import Child, close_fork_server

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", autouse=True)
def fork_server():
    yield
    close_fork_server()


class Engine(ChildEngine):
    """Counts starts and keeps what was said."""

    def __init__(self, log: Path, *, model: str = "", stall: float = 300.0, replicas: int = 1):
        self.said: list[str] = []
        self.starts = 0
        self.hung = log.with_name("hung")  # which a child makes that was told to hang

        def start(_: int) -> Child:
            self.starts += 1
            self.hung.unlink(missing_ok=True)
            return Child.module("tests.tasks.generate.dying_engine:main", log=log)

        super().__init__(
            start, {"model": model}, replicas=replicas, stall=stall, say=self.said.append
        )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


def texts(engine: ChildEngine, prompts: list[str], each: int = 2) -> list[str]:
    requests = [(i, seed) for i in range(len(prompts)) for seed in range(each)]
    found = engine.sample(prompts, requests, Sampling())
    for completion, (i, seed) in zip(found, requests, strict=True):
        assert completion.finish == "error" or completion.text == f"{prompts[i]} {seed}"
    return [completion.finish for completion in found[::each]]


@pytest.mark.parametrize("bad", [[0], [19], [3, 4], [0, 7, 13, 19]])
def test_the_prompts_that_end_the_engine_are_found_and_no_others(log: Path, bad: list[int]):
    prompts = [("kill " if i in bad else "good ") + str(i) for i in range(20)]
    engine = Engine(log)
    try:
        finishes = texts(engine, prompts)
    finally:
        engine.close()
    assert [i for i, finish in enumerate(finishes) if finish == "error"] == bad


def test_a_death_from_outside_costs_no_sample(log: Path, tmp_path: Path):
    engine = Engine(log)
    try:
        finishes = texts(engine, ["a", "b", f"once {tmp_path / 'mark'}", "c"])
    finally:
        engine.close()
    assert finishes == ["stop"] * 4
    assert engine.starts == 2
    assert len(engine.said) == 1 and "SIGKILL" in engine.said[0]


def test_a_prompt_that_hangs_the_engine_is_found_too(log: Path, monkeypatch: pytest.MonkeyPatch):
    engine = Engine(log, stall=0.5)
    # Nobody but the one that hangs is silent, however busy the machine is.
    silence = {True: math.inf, False: 0.0}
    monkeypatch.setattr(connection, "silent_since", lambda _: silence[engine.hung.exists()])
    try:
        finishes = texts(engine, ["a", f"hang {engine.hung}", "b"])
    finally:
        engine.close()
    assert finishes == ["stop", "error", "stop"]
    assert any("no sign of life" in line for line in engine.said)


def test_a_shard_beside_a_guilty_one_is_not_blamed(log: Path):
    engine = Engine(log)
    start = threading.Barrier(2)

    def shard(prompts: list[str]) -> list[str]:
        start.wait()
        return texts(engine, prompts)

    try:
        with ThreadPoolExecutor(2) as pool:
            guilty = pool.submit(shard, ["a", "kill", "b"])
            other = pool.submit(shard, [f"good {i}" for i in range(12)])
            assert guilty.result() == ["stop", "error", "stop"]
            assert other.result() == ["stop"] * 12
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("model", "words"), [("unloadable", "does not start"), ("always", "whatever it is asked")]
)
def test_an_engine_that_is_broken_is_not_the_prompts_fault(log: Path, model: str, words: str):
    engine = Engine(log, model=model)
    try:
        with pytest.raises(StepError, match=words):
            texts(engine, [f"good {i}" for i in range(40)])
    finally:
        engine.close()


def test_engine_seconds_are_those_of_all_children(log: Path):
    engine = Engine(log, replicas=2)
    try:
        found = engine.sample(["a", "b"], [(i % 2, i) for i in range(600)], Sampling())
    finally:
        engine.close()
    assert found.engine_seconds == 1.0


def test_progress_never_goes_back(log: Path):
    engine, told = Engine(log, replicas=2), list[int]()

    def slowly(done: int, total: int) -> None:
        time.sleep(0.002 * (len(told) % 3))  # others come in between, unless they have to wait
        told.append(done)

    try:
        engine.sample(["a", "b"], [(i % 2, i) for i in range(200)], Sampling(), slowly)
    finally:
        engine.close()
    assert told == sorted(told) and told[-1] == 200
