"""The most used families in vLLM's CPU build: the greedy texts that the transformers engine gives.

The table of docs/models.md has more of them (`restem bench families vllm`); each takes the start of
an engine.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.families._table import DOCUMENT, read_table
from bench.families._vllm import EQUAL, compared
from tasks.generate.vllm_environment import VARIABLE
from tests.needs import lacking

pytestmark = pytest.mark.slow


@pytest.fixture
def vllm_python() -> None:
    if not os.environ.get(VARIABLE):
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")


@pytest.mark.parametrize("name", ["Llama 3", "Qwen2", "Qwen3", "Gemma 3", "Mistral", "Mixtral"])
@pytest.mark.usefixtures("vllm_python")
def test_its_greedy_texts_are_equal(name: str, tmp_path: Path) -> None:
    assert compared(name, tmp_path) == EQUAL
    assert read_table(DOCUMENT.read_text(encoding="utf-8"))[name].vllm == EQUAL
