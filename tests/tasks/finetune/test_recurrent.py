"""Models with recurrent layers or short convolutions: rows in one batch, unpacked, do not meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    FalconH1Config,
    FalconH1ForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    Qwen3_5ForCausalLM,
    Qwen3_5TextConfig,
)

from tasks.finetune.checkpoints import CheckpointFolder
from tasks.finetune.packing import prepare
from tasks.finetune.process_setup import set_up_torch
from tasks.finetune.supervised import separates
from tasks.finetune.trainer import _trainer
from tasks.settings import FinetuneSettings, Resources
from tests.tasks.finetune.finetune_parts import (
    CHARACTERS,
    make_job,
    make_rows,
    make_tokenizer,
    write,
)

SHAPE: dict[str, Any] = {
    "vocab_size": 4 + len(CHARACTERS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.2,
    "tie_word_embeddings": True,
}
HEADS: dict[str, Any] = {
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
}
LINEAR: dict[str, Any] = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
MAMBA: dict[str, Any] = {
    "mamba_d_ssm": 32,
    "mamba_n_heads": 4,
    "mamba_d_head": 8,
    "mamba_d_state": 8,
}


def built(kind: str) -> Any:
    torch.manual_seed(3)
    makers = {
        "mamba": lambda: MambaForCausalLM(MambaConfig(**SHAPE, state_size=4)),
        "lfm2": lambda: Lfm2ForCausalLM(
            Lfm2Config(**SHAPE, **HEADS, layer_types=["conv", "full_attention"])
        ),
        "falcon_h1": lambda: FalconH1ForCausalLM(FalconH1Config(**SHAPE, **HEADS, **MAMBA)),
        "qwen3_5": lambda: Qwen3_5ForCausalLM(
            Qwen3_5TextConfig(
                **SHAPE,
                **HEADS,
                **LINEAR,
                head_dim=8,
                layer_types=["linear_attention", "full_attention"],
            )
        ),
    }
    return makers[kind]()


def by_row(model: Any, rows: list[dict[str, Any]]) -> float:
    """Mean loss of the solutions' tokens, each row in a pass of its own."""
    tokenizer, total, count = make_tokenizer(), 0.0, 0
    for row in rows:
        prompt = tokenizer(row["prompt"])["input_ids"]
        target = [*tokenizer(row["completion"], add_special_tokens=False)["input_ids"], 2]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + target]), use_cache=False).logits
        chosen = logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        total -= float(chosen.gather(1, torch.tensor(target)[:, None]).sum())
        count += len(target)
    return total / count


@pytest.mark.parametrize("kind", ["mamba", "lfm2", "falcon_h1", "qwen3_5"])
def test_unpacked_rows_of_a_batch_cost_what_each_alone_does(kind: str, tmp_path: Path) -> None:
    start, rows = tmp_path / "start", make_rows(12)
    model = built(kind).eval()
    assert not separates(model)
    make_tokenizer().save_pretrained(start)
    model.save_pretrained(start)
    job = make_job(start, write(tmp_path / "rows.parquet", rows), tmp_path, packing=False)
    settings, resources = FinetuneSettings(**job["settings"]), Resources(**job["resources"])
    dataset, packed = prepare(Path(job["rows"]), make_tokenizer(), settings, tmp_path, seed=1)
    trainer = _trainer(
        *(job, settings, resources, set_up_torch(resources), dataset, packed.weighted),
        *(10, CheckpointFolder(tmp_path)),
    )
    batch = trainer.data_collator(list(trainer.train_dataset))
    with torch.no_grad():
        loss = trainer.compute_loss(trainer.model, batch)
    assert float(loss) == pytest.approx(by_row(model, rows), abs=1e-4)
