"""The shipped base models: made by their scripts, from text that the loop is not tested on."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest
from transformers import AutoTokenizer

from tasks.policy import EMBEDDED
from tasks.problems.synthetic_code import load_split
from tasks.prompts import load_template


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EMBEDDED / f"make_{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["tiny_math", "tiny_code"])
def test_a_tokenizer_is_what_its_script_makes(name: str, tmp_path: Path) -> None:
    maker = script(name)
    from models.pretraining import make_tokenizer  # found by the path that the script adds

    make_tokenizer(maker.vocabulary(), maker.PIECES).save_pretrained(tmp_path)
    shipped = EMBEDDED / name.replace("_", "-") / "tokenizer.json"
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
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / "tiny-code")
    longest = max(len(tokenizer(row["solution"])["input_ids"]) for row in load_split("train"))
    assert longest < 80  # sampling.max_tokens in configs/code-demo.toml
