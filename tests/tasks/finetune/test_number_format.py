"""A policy has the number format of its base, and is validated as it is exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tasks.finetune.number_format import Rounding, format_of
from tasks.finetune.step import finetune_call
from tasks.finetune.trainer import train
from tasks.prompts import PromptChoice
from tasks.settings import FinetuneSettings
from tasks.store.store import ArtifactRef
from tests.tasks.finetune.finetune_parts import (
    grade,
    make_job,
    make_model,
    make_rows,
    make_tokenizer,
    write,
)

LORA = {"method": "lora", "lora_rank": 4}
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Path:
    """A base in bfloat16."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("short")
    make_tokenizer().save_pretrained(folder)
    make_model().to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.mark.engine
@pytest.mark.parametrize("settings", [{}, LORA], ids=["full", "lora"])
def test_a_policy_has_the_size_of_its_base(short, tmp_path, settings):
    rows = write(tmp_path / "rows.parquet", make_rows(12))
    train(make_job(short, rows, tmp_path, **settings), grade)
    before, after = (folder / WEIGHTS for folder in (short, tmp_path / "out"))
    assert after.stat().st_size <= 1.05 * before.stat().st_size
    old, new = load_file(before), load_file(after)
    assert {name: one.dtype for name, one in new.items()} == {
        name: one.dtype for name, one in old.items()
    }
    assert any(not torch.equal(old[name], new[name]) for name in old)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert format_of(config) == "bfloat16"


@pytest.mark.engine
def test_validation_sees_the_weights_that_are_exported(short, tmp_path, monkeypatch):
    from tasks.finetune import validation_texts as decoding

    seen = []
    true = decoding.decode

    def look(model, *args, **kwargs):
        seen.append({name: one.detach().clone() for name, one in model.named_parameters()})
        return true(model, *args, **kwargs)

    monkeypatch.setattr(decoding, "decode", look)
    rows = write(tmp_path / "rows.parquet", make_rows(24))
    reply = train(make_job(short, rows, tmp_path, checks=2), grade)
    best = [e for e in reply["history"] if e.get("reward") is not None]
    taken = seen[[e["step"] for e in best].index(reply["best_step"])]
    exported = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    for name, weight in exported.named_parameters():
        assert torch.equal(weight, taken[name]), name


def test_the_true_weights_are_back_after_validation(short):
    model = make_model()
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    with pytest.raises(KeyError), Rounding(short).as_exported(model):
        assert not torch.equal(model.lm_head.weight, before["model.embed_tokens.weight"])
        raise KeyError
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name])


def test_what_the_base_holds_in_float32_stays_so(short, tmp_path):
    weights = load_file(short / WEIGHTS)
    weights["model.norm.weight"] = weights["model.norm.weight"].float()
    (tmp_path / "config.json").write_text((short / "config.json").read_text())
    save_file(weights, tmp_path / WEIGHTS)
    model = make_model()
    Rounding(tmp_path).apply(model)
    assert model.model.norm.weight.dtype == torch.float32
    assert model.lm_head.weight.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"dtype": "bfloat16"}, "bfloat16"),
        ({"torch_dtype": "float16"}, "float16"),
        ({"torch_dtype": "torch.bfloat16"}, "bfloat16"),
        ({"dtype": "float32"}, "float32"),
        ({"dtype": "float64"}, "float32"),
        ({"dtype": None, "text_config": {"dtype": "bfloat16"}}, "bfloat16"),
        ({}, "float32"),
    ],
)
def test_the_format_is_what_the_configuration_says(config, expected):
    assert format_of(config) == expected


def test_the_format_stands_in_the_key_unless_it_is_float32():
    ref = ArtifactRef("model", "k", "0" * 64, 1)
    common = {"seed": 1, "validation": {}, "template": PromptChoice("gsm8k"), "problems": ref}

    def key(**more):
        call = finetune_call("", FinetuneSettings(), **common, start=ref, rows=ref, **more)
        return call.key

    assert key(number_format="float32") == key() != key(number_format="bfloat16")
