"""Mixtures of experts: a fine-tune's first step is taken, whole and with adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    MixtralConfig,
    MixtralForCausalLM,
    OlmoeConfig,
    OlmoeForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from tasks.finetune.trainer import train
from tests.tasks.finetune.finetune_parts import grade, make_job, make_rows, make_tokenizer, write
from tests.tasks.finetune.test_recurrent import HEADS, SHAPE

KINDS: dict[str, Any] = {
    "mixtral": lambda: MixtralForCausalLM(
        MixtralConfig(**SHAPE, **HEADS, num_local_experts=4, output_router_logits=True)
    ),
    "qwen3_moe": lambda: Qwen3MoeForCausalLM(
        Qwen3MoeConfig(
            **SHAPE,
            **HEADS,
            head_dim=8,
            num_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=32,
            output_router_logits=True,
        )
    ),
    "olmoe": lambda: OlmoeForCausalLM(
        OlmoeConfig(**SHAPE, **HEADS, num_experts=4, num_experts_per_tok=2)
    ),
}


@pytest.mark.engine
@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("kind", list(KINDS))
def test_it_is_trained(kind: str, packing: bool, tmp_path: Path) -> None:
    start = tmp_path / "start"
    torch.manual_seed(3)
    make_tokenizer().save_pretrained(start)
    KINDS[kind]().save_pretrained(start)
    rows = write(tmp_path / "rows.parquet", make_rows(20))
    job = make_job(start, rows, tmp_path, packing=packing, checks=0, epochs=1.0)
    reply = train(job, grade)
    losses = [entry["loss"] for entry in reply["history"] if "loss" in entry]
    assert losses and all(0.0 < loss < 10.0 for loss in losses)
