"""Arguments of vLLM's own reach the engine, and what it does not take is said in a line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.decoding.request import Completions, Sampling
from tasks.errors import UserError
from tasks.generate.engine import open_engine
from tasks.generate.vllm_environment import VARIABLE
from tasks.settings import Resources
from tasks.settings.vllm_args import VllmArgs
from tests.needs import lacking
from tests.tasks.decoding.decoding_parts import save

PROMPTS = ["3 and 4 is ", "how many apples: ", "a b c d "]
GREEDY = Sampling(temperature=0.0, max_tokens=16)


@pytest.fixture
def vllm_python() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")
    return Path(named)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model"))


def sampled(folder: Path, tmp_path: Path, fast: list[str], told: VllmArgs) -> Completions:
    """What an engine with these arguments answers."""
    resources = Resources(device="cpu", batch_size=16, threads=1, cpu_cache_gb=0.25, vllm_args=fast)
    engine = open_engine(
        "vllm",
        folder,
        resources=resources,
        dtype="float32",
        log=tmp_path / "engine.log",
        home=tmp_path,
        vllm_args=told,
    )
    try:
        return engine.sample(PROMPTS, [(i, 0) for i in range(3)], GREEDY)
    finally:
        engine.close()


def test_one_that_changes_samples_changes_them_and_one_of_speed_does_not(
    folder: Path, tmp_path: Path, vllm_python: Path
) -> None:
    plain = sampled(folder, tmp_path, [], {})
    fast = sampled(folder, tmp_path, ["max_num_batched_tokens=8192", "block_size=32"], {})
    turns = {"rope_parameters": {"rope_type": "default", "rope_theta": 2.0}}
    turned = sampled(folder, tmp_path, [], {"hf_overrides": turns})
    assert fast == plain
    assert turned != plain


@pytest.mark.parametrize(
    ("fast", "told", "said"),
    [
        (
            [],
            {"no_such": 1},
            r"^sampling\.vllm_args: no_such: vLLM [\d.]+\S* has no such argument$",
        ),
        (["block_size=17"], {}, r"^vllm_args: vLLM does not start with .*block_size.*"),
        ([], {"quantization": "nonsense"}, r"^vllm_args: vLLM does not start with .*nonsense.*"),
    ],
)
def test_what_vllm_does_not_take_is_the_users_mistake(
    folder: Path, tmp_path: Path, vllm_python: Path, fast: list[str], told: VllmArgs, said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        sampled(folder, tmp_path, fast, told)
    assert "\n" not in str(caught.value)
