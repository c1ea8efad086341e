"""Ways to keep packed rows apart in attention, each put into a trainer of ours.

- `mask`: transformers' sdpa with a block-diagonal mask, padded batches.
- `by row`: tasks/finetune/row_attention.py.
- `by row, no waits`: the same with the sizes of its small batches kept on the CPU, so that no layer
  waits for the card to read them.
- `by row, no waits, no cuDNN`: the same without cuDNN's attention, which makes a plan for each new
  shape; the next kernel in PyTorch's order takes its place.
- `varlen`: PyTorch's own kernel for sequences of different lengths (torch.nn.attention.varlen;
  CUDA, bfloat16), which no trainer of ours uses yet.
"""

from __future__ import annotations

from typing import Any, Literal

Way = Literal["mask", "by row", "by row, no waits", "by row, no waits, no cuDNN", "varlen"]
VARLEN = "bench_varlen"


def put(trainer: Any, way: Way, longest: int) -> None:
    """Have a trainer's model and batches go this way.

    Args:
        trainer: Ours, not begun.
        way: Which.
        longest: Tokens of the longest row there may be.

    Raises:
        ImportError: this PyTorch has no such kernel.
    """
    import torch

    from tasks.finetune.row_attention import ROW_ATTENTION
    from tasks.finetune.supervised import Collator

    torch.backends.cuda.enable_cudnn_sdp(way != "by row, no waits, no cuDNN")
    model = trainer.plain_model
    if way == "mask":
        model.set_attn_implementation("sdpa")
        trainer.data_collator = Collator(weighted=False)
    elif way == "by row":
        model.set_attn_implementation(ROW_ATTENTION)
        trainer.data_collator = Collator(weighted=False, flat=True)
    elif way != "varlen":
        model.set_attn_implementation(ROW_ATTENTION)
        trainer.data_collator = _sizes
    else:
        _register(longest)
        model.set_attn_implementation(VARLEN)
        trainer.data_collator = _bounds


def _sizes(examples: list[Any]) -> dict[str, Any]:
    """A flat batch with the sizes as plain numbers, which nobody moves to the card."""
    from tasks.finetune.supervised import Collator

    batch: dict[str, Any] = Collator(weighted=False, flat=True)(examples)
    batch["rows_shapes"] = batch["rows_shapes"].tolist()
    return batch


def _bounds(examples: list[Any]) -> dict[str, Any]:
    """A flat batch with the bounds of its rows in place of their layout's shapes."""
    import torch

    from tasks.finetune.supervised import Collator

    batch = Collator(weighted=False, flat=True)(examples)
    lengths = torch.tensor([0, *(int(n) for one in examples for n in one["lengths"])])
    batch["rows_shapes"] = lengths.cumsum(0).to(torch.int32)
    return batch


def _register(longest: int) -> None:
    import inspect

    from torch.nn.attention.varlen import varlen_attn
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    # Its arguments are still changing from one PyTorch to the next.
    known = inspect.signature(varlen_attn).parameters
    causal: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {}
    if "is_causal" in known:
        causal = {"is_causal": True}
    shares = "enable_gqa" in known

    def attend(
        module: Any,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any,
        scaling: float | None = None,
        dropout: float = 0.0,
        packed_rows: Any = None,
        **kwargs: Any,
    ) -> tuple[Any, None]:
        if packed_rows is None:  # a row by itself
            found, _ = sdpa_attention_forward(
                module, query, key, value, None, dropout, scaling, is_causal=True
            )
            return found, None
        bounds = packed_rows.shapes
        q, k, v = (
            one[0].transpose(0, 1).to(value.dtype).contiguous() for one in (query, key, value)
        )
        more = dict(causal)
        if (times := q.shape[1] // k.shape[1]) > 1:
            if shares:
                more["enable_gqa"] = True
            else:
                k, v = (one.repeat_interleave(times, 1) for one in (k, v))
        if "scale" in known:
            more["scale"] = scaling
        found: Any = varlen_attn(q, k, v, bounds, bounds, longest, longest, **more)
        return found[None], None

    AttentionInterface.register(VARLEN, attend)
    AttentionMaskInterface.register(VARLEN, sdpa_mask)
