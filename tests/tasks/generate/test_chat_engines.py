"""Prompts of chat models on both engines: the same tokens and ends, no defaults of a model."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tasks.decoding.chat import Chat
from tasks.decoding.request import Completions, Sampling
from tasks.generate.engine import open_engine
from tasks.generate.vllm_environment import VARIABLE
from tasks.prompts import load_template
from tasks.settings import Resources
from tests.needs import lacking
from tests.tasks.chat_parts import FAMILIES, WILD, save, tokenizer

QUESTIONS = ["A box holds 17 marbles, and 4 are lost. How many are left?", "Is <|im_end|> a word?"]
# Run by the Python of vLLM's environment, with vLLM's own loader of tokenizers.
TOKENISE = """
import json, sys
from vllm.tokenizers import get_tokenizer
print("\\n" + json.dumps({
    folder: [get_tokenizer(folder).encode(text, add_special_tokens=False) for text in texts]
    for folder, texts in json.load(sys.stdin).items()
}))
"""


@pytest.fixture(scope="module")
def vllm_python() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")
    return Path(named)


def asked(folder: Path) -> Chat:
    return Chat(folder, load_template("chat"))


def sampled(name: str, folder: Path, log: Path, *wanted: tuple[Sampling, int]) -> list[Completions]:
    """What one engine gives for each of these: how to sample, and how many of both questions."""
    chat = asked(folder)
    engine = open_engine(
        name,
        folder,
        resources=Resources(device="cpu", batch_size=16, threads=1, cpu_cache_gb=0.25),
        dtype="float32",
        log=log / "engine.log",
        home=log,
    )
    prompts = chat.ids([chat.render(question, 0) for question in QUESTIONS])
    try:
        return [
            engine.sample(
                prompts, [(i % len(prompts), i) for i in range(count)], chat.sampling(sampling)
            )
            for sampling, count in wanted
        ]
    finally:
        engine.close()


def test_vllm_reads_the_tokens_of_every_family_that_we_train_on(tmp_path, vllm_python):
    """What vLLM makes of a rendered prompt is what both engines and the trainer are given."""
    texts, expected = {}, {}
    for name in FAMILIES:
        folder = tmp_path / name
        tokenizer(name).save_pretrained(folder)
        (folder / "config.json").write_text('{"model_type": "llama"}')
        chat = asked(folder)
        texts[str(folder)] = [chat.render(question, 0) for question in QUESTIONS]
        expected[str(folder)] = chat.ids(texts[str(folder)])
    said = subprocess.run(
        [str(vllm_python), "-c", TOKENISE],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
    )
    assert json.loads(said.stdout.splitlines()[-1]) == expected


GREEDY = Sampling(temperature=0.0, max_tokens=24), 2
DRAWN = Sampling(temperature=0.8, top_k=20, max_tokens=12), 16


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory, vllm_python: Path) -> list[Completions]:
    """What vLLM gives of a model whose own defaults say otherwise: greedy, and drawn."""
    folder = tmp_path_factory.mktemp("wild")
    return sampled("vllm", save(folder / "model", "gemma", WILD), folder, GREEDY, DRAWN)


def test_vllm_ends_a_turn_where_transformers_does_whatever_the_models_defaults(tmp_path, wild):
    plain = save(tmp_path / "plain", "gemma")
    assert sampled("transformers", plain, tmp_path, GREEDY) == wild[:1]


def test_vllm_draws_with_what_is_asked_and_not_with_a_models_defaults(tmp_path, vllm_python, wild):
    (plain,) = sampled("vllm", save(tmp_path / "plain", "gemma"), tmp_path, DRAWN)
    assert plain == wild[1]
    assert len({one.text for one in plain}) > 4
    assert "stop" in {one.finish for one in plain}
