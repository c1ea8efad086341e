"""Policies of one architecture share what vLLM has compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.generate import vllm_engine
from tasks.generate.vllm_environment import VARIABLE
from tasks.paths import MODELS
from tests.needs import lacking

# What vLLM looks compiled code up by holds this hash of the model's part.
HASHES = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("engine", sys.argv[1])
engine = importlib.util.module_from_spec(spec)
spec.loader.exec_module(engine)
from vllm.config import ModelConfig
for model in sys.argv[2:]:
    name = engine.by_one_name(model)
    print(ModelConfig(model=name, tokenizer=name, dtype="float32").compute_hash())
"""


@pytest.fixture
def vllm_python() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")
    return Path(named)


def test_another_path_is_the_same_to_vllm(vllm_python, tmp_path):
    models = [tmp_path / name for name in ("one", "other")]
    for model in models:
        shutil.copytree(MODELS / "mini-math", model)
    found = subprocess.run(
        [str(vllm_python), "-c", HASHES, vllm_engine.__file__, *map(str, models)],
        env={**os.environ, **vllm_engine.ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    one, other = found.stdout.split()[-2:]
    assert len(one) == 64
    assert one == other


def test_the_name_leads_to_the_policy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = vllm_engine.by_one_name(str(MODELS / "mini-math"))
    assert (Path(name) / "config.json").samefile(MODELS / "mini-math" / "config.json")
