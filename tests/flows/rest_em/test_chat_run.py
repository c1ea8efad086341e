"""A whole run of a chat model, whose template writes what a prompt of text would: the same run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.paths import MODELS
from tests.flows.conftest import Restem

CHANGES = (
    "iterations=1",
    "data.train_limit=96",
    "data.test_limit=64",
    "data.validation=32",
    "sampling.samples=8",
    "evaluation.samples=0",
    "evaluation.train_problems=32",
)
# The layout that the shipped model was pre-trained on (tasks/generate/prompts/tiny_math.toml).
TEMPLATE = (
    "{{- bos_token -}}"
    "{%- for turn in messages -%}"
    "{{- 'Q: ' + turn.content + '\\nA: ' if turn.role == 'user' else turn.content + eos_token -}}"
    "{%- endfor -%}"
)


PROMPT = 'name = "alone"\nform = "chat"\nquery = "{question}"\nstop = ["\\n"]\n'


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The shipped model with a chat template."""
    folder = tmp_path / "base"
    shutil.copytree(MODELS / "tiny-math", folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def columns(restem: Restem, steps: list[dict], name: str, file: str, *wanted: str) -> list:
    store = restem.home / "store"
    tables = [
        pq.read_table(store / step["artifact"] / file, columns=list(wanted)).to_pylist()
        for step in steps
        if step["step"].split()[0] == name
    ]
    return sorted((row for table in tables for row in table), key=str)


def test_a_chat_model_is_sampled_trained_and_found_again(
    server: str, tmp_path: Path, base: Path
) -> None:
    restem = Restem(tmp_path / "home", server)
    (tmp_path / "alone.toml").write_text(PROMPT)
    asked = (*CHANGES, f"model.base={base}", f"model.prompt={tmp_path}/alone.toml")
    chat, plain = restem.demo(*asked), restem.demo(*CHANGES)
    for step, file, wanted in (
        ("generate", "samples.parquet", ("problem_id", "index", "text", "tokens", "finish")),
        ("score", "verdicts.parquet", ("problem_id", "index", "status")),
        ("select", "rows.parquet", ("problem_id", "index", "completion")),
    ):
        found = columns(restem, chat, step, file, *wanted)
        assert found and found == columns(restem, plain, step, file, *wanted)
    (trained,) = [step for step in chat if step["step"] == "finetune"]
    policy = restem.home / "store" / trained["artifact"]
    assert (policy / "chat_template.jinja").read_text() == TEMPLATE

    chain = json.loads(restem("trace", "latest", "0", "--json"))
    assert chain["prompt"]["same in training"]

    assert {step["state"] for step in restem.demo(*asked)} == {"Cached"}


def test_a_model_without_a_template_is_refused_before_it_is_sampled(
    server: str, tmp_path: Path
) -> None:
    restem = Restem(tmp_path / "home", server)
    said = restem("demo", *(f"--set={one}" for one in (*CHANGES, "model.prompt=chat")), code=2)
    (line,) = [one for one in said.splitlines() if "model.prompt: chat needs a model" in one]
    assert "expected an instruct model" in line
    assert "Traceback" not in said
