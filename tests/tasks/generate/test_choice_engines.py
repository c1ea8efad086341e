"""Log-probabilities of choices are the same in every engine, and those of the model itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.decoding.choose import choose
from tasks.decoding.request import Sampling
from tasks.errors import UserError
from tasks.generate.engine import open_engine
from tasks.generate.replicas import ChildEngine
from tasks.generate.vllm_environment import VARIABLE
from tasks.processes.child import close_fork_server, preload
from tasks.settings import Resources
from tests.needs import lacking
from tests.tasks.decoding.decoding_parts import make_model, make_tokenizer, save

pytestmark = pytest.mark.engine
POST = "3 and 4 is 7. 5 and 5 is: 10\n" * 3
PROMPTS = [f"{POST}note 1: {a} note 2: {b}\nbetter: " for a in "abc" for b in "abcdefg"]
# One token each; several, of which some begin alike; of different lengths.
CHOICES = [("1", "2"), ("yes it is", "yes it was", "no"), ("27", "19", "3")]
# Natural logarithms in float32, of engines that sum in different orders.
CLOSE = 1e-3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module", autouse=True)
def fork_server() -> Iterator[None]:
    preload(["torch", "transformers.models.llama", "tasks.decoding.decode"])
    yield
    close_fork_server()
    preload([])


@pytest.fixture
def vllm_python() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")
    return Path(named)


@contextmanager
def opened(name: str, folder: Path, log: Path, **resources: float) -> Iterator[ChildEngine]:
    engine = open_engine(
        name,
        folder,
        resources=Resources(device="cpu", batch_size=16, cpu_cache_gb=0.25, **resources),
        dtype="float32",
        log=log / "engine.log",
        home=log,
    )
    assert isinstance(engine, ChildEngine)
    try:
        yield engine
    finally:
        engine.close()


def weighed(choices: tuple[str, ...]) -> list[list[float]]:
    """By the model itself, in this process."""
    found = choose(make_model(), make_tokenizer(), PROMPTS, choices, batch_size=1)
    return [values for values in found if values is not None]


def same(found: list, expected: list[list[float]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=CLOSE)


def test_children_of_transformers_give_what_the_model_gives(folder: Path, tmp_path: Path) -> None:
    with opened("transformers", folder, tmp_path, threads=2, engines=2) as engine:
        for choices in CHOICES:
            same(engine.choose(PROMPTS, choices), weighed(choices))


def test_vllm_gives_what_the_model_gives_beside_samples_under_way(
    folder: Path, tmp_path: Path, vllm_python: Path
) -> None:
    greedy = Sampling(temperature=0.0, max_tokens=8)
    long = "3" * 3000  # more than the model's positions
    with opened("vllm", folder, tmp_path, threads=1) as engine:
        before = engine.sample(PROMPTS, [(0, 0), (1, 0)], greedy)
        for choices in CHOICES:
            found = engine.choose([*PROMPTS, long], choices)
            assert found[-1] is None
            same(found[:-1], weighed(choices))
        assert engine.sample(PROMPTS, [(0, 0), (1, 0)], greedy) == before
        with pytest.raises(UserError, match=r"^judge\.prompt: choices"):
            engine.choose(PROMPTS, ("1", "12"))
        with pytest.raises(UserError, match=r"^judge\.prompt: .* positions"):
            engine.choose([long], ("1", "2"))
