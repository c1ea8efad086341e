"""Ways to keep packed rows apart in attention, each put into a trainer of ours.

- `as made`: what the trainer chose (tasks/finetune/trainer.py): on a GPU varlen_attention.py where
  it fits, elsewhere row_attention.py, else the mask.
- `mask`: transformers' sdpa with a block-diagonal mask, padded batches.
- `by row`: tasks/finetune/row_attention.py.
"""

from __future__ import annotations

from typing import Any, Literal

Way = Literal["as made", "mask", "by row"]


def put(trainer: Any, way: Way) -> None:
    """Have a trainer's model and batches go this way.

    Args:
        trainer: Ours, not begun.
        way: Which.
    """
    from tasks.finetune.row_attention import ROW_ATTENTION
    from tasks.finetune.supervised import Collator

    if way == "as made":
        return
    flat = way == "by row"
    trainer.plain_model.set_attn_implementation(ROW_ATTENTION if flat else "sdpa")
    trainer.data_collator = Collator(weighted=False, flat="layout" if flat else "")


def chosen(trainer: Any) -> str:
    """Name of the attention that a trainer chose."""
    return str(trainer.plain_model.config._attn_implementation)
