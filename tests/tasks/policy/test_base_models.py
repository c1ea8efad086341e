"""The shipped base models: made by their scripts, from text that the loop is not tested on."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest
from transformers import AutoTokenizer

from tasks.decoding.decode import decode
from tasks.decoding.request import Sampling
from tasks.policy.step import MODELS
from tasks.problems.synthetic_code import load_split
from tasks.problems.synthetic_math import load_split as math_split
from tasks.prompts import load_template

pytestmark = pytest.mark.slow


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, MODELS / f"make_{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["tiny_math", "mini_math", "tiny_code"])
def test_a_tokenizer_is_what_its_script_makes(name: str, tmp_path: Path) -> None:
    maker = script(name)
    from models.pretraining import make_tokenizer  # found by the path that the script adds

    make_tokenizer(maker.vocabulary(), maker.PIECES).save_pretrained(tmp_path)
    shipped = MODELS / name.replace("_", "-") / "tokenizer.json"
    assert (tmp_path / "tokenizer.json").read_bytes() == shipped.read_bytes()


def test_code_is_pretrained_in_the_layout_of_the_demo_and_on_no_problem_of_it() -> None:
    asked = {row["question"] for split in ("train", "test") for row in load_split(split)}
    template = load_template("synthetic_code")
    texts = list(itertools.islice(script("tiny_code").corpus(), 3000))
    for prompt, program in texts:
        question = prompt.removeprefix("Q: ").removesuffix("\nA:\n")
        assert prompt == template.render(question, 0)
        assert question not in asked
        assert not any(stop in program for stop in template.stop)


def test_programs_of_the_data_set_fit_the_tokens_of_the_demo() -> None:
    tokenizer = AutoTokenizer.from_pretrained(MODELS / "tiny-code")
    longest = max(len(tokenizer(row["solution"])["input_ids"]) for row in load_split("train"))
    assert longest < 80  # sampling.max_tokens in configs/code-demo.toml


def test_the_smaller_model_reads_the_same_tokens_and_solves_fewer_problems() -> None:
    """The pupil of a distillation needs right samples of its own, and less than its teacher has."""
    small, large = (MODELS / name for name in ("mini-math", "tiny-math"))
    names = ("tokenizer.json", "tokenizer_config.json")
    assert all((small / name).read_bytes() == (large / name).read_bytes() for name in names)
    sizes = [(model / "model.safetensors").stat().st_size for model in (small, large)]
    assert 2 * sizes[0] < sizes[1]
    solved = [greedy(model, 300) for model in (small, large)]
    assert 0.05 < solved[0] < solved[1] - 0.02


def greedy(model: Path, count: int) -> float:
    """Share of the first test problems of `synthetic_math` that a model solves."""
    import torch
    from transformers import AutoModelForCausalLM

    template, rows = load_template("tiny_math"), list(math_split("test"))[:count]
    prompts = [template.render(row["question"], -1) for row in rows]
    sampling = Sampling(temperature=0.0, max_tokens=40, stop=tuple(template.stop))
    policy = AutoModelForCausalLM.from_pretrained(model).eval()
    tokenizer = AutoTokenizer.from_pretrained(model)
    requests = [(number, 0) for number in range(count)]
    with torch.inference_mode():
        done = decode(policy, tokenizer, prompts, requests, sampling, batch_size=count)
    pairs = zip(done, rows, strict=True)
    return sum(one.text.endswith(f"#### {row['reference']}") for one, row in pairs) / count
