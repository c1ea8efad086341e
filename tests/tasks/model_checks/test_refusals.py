"""What cannot work is refused by a look at a model's files: one line, with field and remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.families import _checks as checks
from tasks.errors import UserError
from tasks.model_checks.look import look
from tasks.model_checks.machine import Machine
from tasks.model_checks.question import Question, Shortest
from tasks.prompts import PromptChoice
from tasks.settings import FinetuneSettings, Resources
from tests.tasks.finetune.finetune_parts import make_start

CASES = json.loads(Path(__file__).with_name("refusals.json").read_text(encoding="utf-8"))
_MEMORY = 10**12


def asked(folder: Path, **ask: Any) -> Question:
    gpus = tuple(int(size * 1e9) for size in ask.get("gpus_gb", []))
    settings = {"max_length": 256, **ask.get("finetune", {})}
    return Question(
        folder=str(folder),
        whole=True,
        field=ask.get("field", "model.base"),
        engine=ask.get("engine", "transformers"),
        dtype=ask.get("dtype", "float32"),
        max_tokens=ask.get("max_tokens", 64),
        prompt=PromptChoice(ask.get("prompt", "tiny_math")),
        resources=Resources(**ask.get("resources", {})),
        shortest=Shortest("what is 1 + 2?"),
        finetune=FinetuneSettings(**settings) if "field" not in ask else None,
        machine=Machine(ask.get("memory", _MEMORY), gpus),
        vllm_python=ask.get("vllm_python", ""),
    )


def change(folder: Path, how: dict[str, Any]) -> None:
    config = folder / "config.json"
    if "replace" in how:
        config.write_text(json.dumps(how["replace"]))
    if "config" in how:
        config.write_text(json.dumps(json.loads(config.read_text()) | how["config"]))
    if "tokenizer" in how:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | how["tokenizer"]))
        (folder / "special_tokens_map.json").unlink(missing_ok=True)
    for name, text in how.get("write", {}).items():
        (folder / name).write_text(text)
    for name in how.get("remove", []):
        (folder / name).unlink()
    if "cut" in how:
        path = folder / how["cut"]
        path.write_bytes(path.read_bytes()[:-100])


def registry(folder: Path, names: list[str]) -> str:
    """An environment whose vLLM has these architectures."""
    path = folder / "lib/python3.12/site-packages/vllm/model_executor/models/registry.py"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f'"{name}": ("a", "b"),\n' for name in names))
    return str(folder / "bin" / "python")


def start(case: dict[str, Any], folder: Path) -> Path:
    if "family" in case:
        return checks.make(case["family"], folder)
    return make_start(folder)


def test_there_are_enough_cases() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 20


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_it_is_refused_in_one_line(case: dict[str, Any], tmp_path: Path) -> None:
    folder = start(case, tmp_path / "model")
    change(folder, case.get("change", {}))
    ask = dict(case.get("ask", {}))
    if "vllm" in ask:
        ask["vllm_python"] = registry(tmp_path / "vllm", ask["vllm"])
    with pytest.raises(UserError) as refused:
        look(asked(folder, **ask))
    said = str(refused.value)
    assert said.startswith(case["says"][0])
    assert all(part in said for part in case["says"])
    assert "expected" in said
    assert "\n" not in said and len(said) < 400


@pytest.mark.parametrize("family", [None, "Gemma 3", "Qwen3.5", "gpt-oss", "GPT-2", "Mamba"])
def test_what_works_is_not(family: str | None, tmp_path: Path) -> None:
    folder = start({"family": family} if family else {}, tmp_path / "model")
    look(asked(folder, finetune={"packing": False}))


def test_a_question_goes_over_the_wire_as_it_is(tmp_path: Path) -> None:
    question = asked(tmp_path, gpus_gb=[80])
    assert Question.from_json(json.loads(json.dumps(question.to_json()))) == question


def test_with_the_configuration_alone_its_rules_hold(tmp_path: Path) -> None:
    folder = make_start(tmp_path / "model")
    change(folder, {"remove": ["model.safetensors", "tokenizer.json", "tokenizer_config.json"]})
    question = asked(folder)
    with pytest.raises(UserError, match=r"^model\.base: there are no weights"):
        look(question)
    alone = Question.from_json({**question.to_json(), "whole": False})
    look(alone)
    with pytest.raises(UserError, match=r"^sampling\.max_tokens: "):
        look(Question.from_json({**alone.to_json(), "max_tokens": 256}))
