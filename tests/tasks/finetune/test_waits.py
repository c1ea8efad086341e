"""A training step asks a GPU for numbers as rarely in a deep model as in a flat one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaForCausalLM

from tests.tasks.finetune.finetune_parts import (
    make_job,
    make_model,
    make_rows,
    make_tokenizer,
    write,
)
from tests.tasks.finetune.test_finetune import trainer_of

# What a CPU can only do when a GPU has come to the end: numbers, and how many of them there are.
_WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")


class Waits(TorchDispatchMode):
    """Counts operations after which Python knows a value of a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        masked = name.startswith("index") and any(
            isinstance(one, torch.Tensor) and one.dtype == torch.bool
            for one in (args[1] if isinstance(args[1], list) else [])
        )
        if masked or name.startswith(_WAITS):
            self.names.append(name)
        return func(*args, **(kwargs or {}))


def waits(folder: Path, layers: int, packing: bool) -> list[str]:
    start = folder / "start"
    make_tokenizer().save_pretrained(start)
    config = make_model().config
    config.num_hidden_layers = layers
    config.layer_types = None
    LlamaForCausalLM(config).save_pretrained(start)
    rows = write(folder / "rows.parquet", make_rows(30, (1.0, 0.5)))
    trainer = trainer_of(make_job(start, rows, folder, packing=packing), folder)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    with Waits() as counted:
        loss = trainer.compute_loss(trainer.trained_model, batch, num_items_in_batch=7)
        loss.backward()
    return counted.names


@pytest.mark.parametrize("packing", [True, False])
def test_a_step_waits_no_more_often_with_more_layers(tmp_path, packing):
    few = waits(tmp_path / "few", 2, packing)
    assert waits(tmp_path / "many", 5, packing) == few
    assert few == []
