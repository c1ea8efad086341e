"""A base of four bits: refused in a line where it cannot be."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from flows.config.rest_em import load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop
from tasks.errors import UserError
from tasks.finetune.export import export_afresh
from tasks.finetune.quantized import PACKAGE
from tasks.settings import FinetuneSettings
from tests.tasks.finetune.finetune_parts import make_job, make_rows, make_start, write
from tests.tasks.finetune.test_finetune import trainer_of

QLORA = "finetune.method=qlora"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["resources.device=cpu"], r"finetune\.method: qlora needs a GPU"),
        (
            ["resources.train_processes=2", "resources.train_strategy=fsdp"],
            r"resources\.train_strategy: weights of four bits .* are not split; expected ddp",
        ),
    ],
)
def test_what_cannot_be_is_said_with_the_configuration(changes, said):
    with pytest.raises(UserError, match=said):
        load_config("math-demo", [QLORA, *changes])


@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is not None, reason="it is there")
def test_a_missing_package_is_said_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setenv("RESTEM_HOME", str(tmp_path))
    config = load_config("math-demo", [QLORA])
    with DirectCaller(config) as caller, pytest.raises(UserError, match="qlora needs bitsandbytes"):
        Loop(config, caller)


def test_the_trainer_refuses_a_cpu(tmp_path):
    rows = write(tmp_path / "rows.parquet", make_rows(6))
    job = make_job(make_start(tmp_path / "start"), rows, tmp_path, method="qlora")
    with pytest.raises(UserError, match=r"finetune\.method: qlora needs a GPU \(CUDA\)"):
        trainer_of(job, tmp_path)


def test_adapters_are_merged_into_the_base_as_its_files_have_it(tmp_path):
    from peft import get_peft_model
    from safetensors.torch import load_file, save_file

    from tasks.finetune.load_model import adapters, load_plain

    start = make_start(tmp_path / "start")
    rows = write(tmp_path / "rows.parquet", make_rows(6))
    job = make_job(start, rows, tmp_path, method="qlora", lora_rank=4, lora_alpha=8)
    settings = FinetuneSettings(**job["settings"])
    plain = load_plain(str(start))
    model = get_peft_model(plain, adapters(settings, plain))
    draw = torch.Generator().manual_seed(1)
    kept = {
        name: torch.randn(one.shape, generator=draw)
        for name, one in model.named_parameters()
        if one.requires_grad
    }
    save_file(kept, tmp_path / "best.safetensors")
    export_afresh(job, settings, tmp_path / "best.safetensors")
    name = "model.layers.1.mlp.up_proj"
    a, b = (kept[f"base_model.model.{name}.lora_{one}.default.weight"] for one in "AB")
    before = load_file(start / "model.safetensors")[f"{name}.weight"]
    after = load_file(tmp_path / "out" / "model.safetensors")[f"{name}.weight"]
    assert torch.allclose(after, before + (b @ a) * 8 / 4, atol=1e-5)
