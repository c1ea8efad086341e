"""Exports of a chat model's run: its template goes along, and prompts are what it wrote."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.api.export.export import export
from tasks.paths import MODELS
from tasks.rows import read_rows, text_digest
from tests.flows.conftest import Restem

pytestmark = pytest.mark.engine
CHANGES = (
    "iterations=1",
    "data.train_limit=32",
    "data.test_limit=16",
    "data.validation=8",
    "evaluation.samples=0",
    "evaluation.train_problems=0",
    "finetune.checks=0",
)
# The layout that the shipped model was pre-trained on (tasks/generate/prompts/tiny_math.toml).
TEMPLATE = (
    "{{- bos_token -}}"
    "{%- for turn in messages -%}"
    "{{- 'Q: ' + turn.content + '\\nA: ' if turn.role == 'user' else turn.content + eos_token -}}"
    "{%- endfor -%}"
)
PROMPT = 'name = "alone"\nform = "chat"\nquery = "{question}"\nstop = ["\\n"]\n'


def test_a_chat_models_exports_have_its_template_and_its_prompts(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, prompt = tmp_path / "base", tmp_path / "alone.toml"
    shutil.copytree(MODELS / "tiny-math", base)
    (base / "chat_template.jinja").write_text(TEMPLATE)
    prompt.write_text(PROMPT)
    restem = Restem(tmp_path / "home", server)
    restem.demo(*CHANGES, f"model.base={base}", f"model.prompt={prompt}")
    monkeypatch.setenv("RESTEM_HOME", str(restem.home))

    policy = Path(export("latest", str(tmp_path / "policy")))
    assert (policy / "chat_template.jinja").read_text() == TEMPLATE
    card = (policy / "README.md").read_text()
    assert str(tmp_path) not in card

    place = Path(export("latest:1", str(tmp_path / "samples"), data="samples"))
    rows = list(read_rows(place / "data" / "samples-00000.parquet"))
    assert len(rows) == 32 * 8
    assert all(text_digest(row["prompt"]) == row["prompt_digest"] for row in rows)
    assert {row["prompt"] for row in rows} == {f"<bos>Q: {row['question']}\nA: " for row in rows}

    export("latest:1", str(tmp_path / "pairs"), data="pairs")

    [code] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    asked = code.replace("What is 2 + 3?", "Sue has 56 hats, sells 5. How many?")
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "####" in done.stdout
