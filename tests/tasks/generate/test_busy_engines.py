"""Engines that run have each a part of a shard, and give what one of them gives alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.decoding.request import Completions, Sampling
from tasks.generate.engine import open_engine
from tasks.generate.replicas import ChildEngine
from tasks.processes.child import close_fork_server, preload
from tasks.settings import Resources
from tests.tasks.decoding.decoding_parts import save

pytestmark = pytest.mark.engine

PROMPTS = [f"{i} and {i % 7} is " for i in range(256)]
GREEDY = Sampling(temperature=0.0, max_tokens=4)
ONE_EACH = [(i, 0) for i in range(256)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module", autouse=True)
def fork_server():
    preload(["torch", "transformers.models.llama", "tasks.decoding.decode"])
    yield
    close_fork_server()
    preload([])


def opened(folder: Path, log: Path, **resources: int) -> ChildEngine:
    engine = open_engine(
        "transformers",
        folder,
        resources=Resources(device="cpu", **resources),
        dtype="float32",
        log=log / "engine.log",
        home=log,
    )
    assert isinstance(engine, ChildEngine)
    return engine


def test_a_greedy_shard_has_all_engines_work_and_gives_what_one_gives(folder, tmp_path):
    found: dict[int, Completions] = {}
    for engines in (1, 3):
        engine = opened(folder, tmp_path, threads=1, engines=engines)
        try:
            found[engines] = engine.sample(PROMPTS, ONE_EACH, GREEDY)
            assert len(engine.pids()) == engines
        finally:
            engine.close()
    assert found[1] == found[3]


def test_two_small_shards_at_once_do_not_wait_for_the_same_child(folder, tmp_path):
    # A model so small that it has a child a core, each for 256 samples or more.
    engine = opened(folder, tmp_path, threads=2)
    both = threading.Barrier(2)

    def shard(_: int) -> None:
        begun = threading.Event()

        def wait_for_the_other(done: int, total: int) -> None:
            if not begun.is_set():
                begun.set()
                both.wait(300)

        sampling = Sampling(temperature=0.0, max_tokens=64)
        engine.sample(PROMPTS, ONE_EACH, sampling, wait_for_the_other)

    try:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(shard, range(2)))
        assert len(engine.pids()) == 2
    finally:
        engine.close()
