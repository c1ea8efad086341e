"""Attention over packed rows by PyTorch's own kernel for sequences of different lengths, on a GPU.

The rows of a flat batch are told to the kernel by their bounds, so none sees another, nothing is
padded, and a row costs the square of its own length alone. The kernel is flash attention (Dao,
arXiv 2307.08691) as torch.nn.attention.varlen has it: CUDA, numbers of 16 bits. Everywhere else
rows are kept apart by row_attention.py or by a mask; `fits` tries it and compares.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tasks.finetune.row_attention import agrees, refuse_extras, unread_mask

VARLEN_ATTENTION = "restem_varlen"
# Of the largest logit: 16 bits keep 8 of them for the number, and another order of sums moves the
# last. Rows that mix move logits by a large part of their size.
TOLERANCE = 0.03


def bounds(lengths: Sequence[int]) -> np.ndarray:
    """Where the rows of a flat batch begin, and where the last one ends; int32 [rows + 1]."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def inputs(row_bounds: torch.Tensor) -> dict[str, object]:
    """What a model's forward pass needs beside tokens and positions."""
    return {"attention_mask": unread_mask(row_bounds.device), "row_bounds": row_bounds}


def fits(model: PreTrainedModel, longest: int) -> bool:
    """Whether a model computes the same with this attention; if so, it uses it from now on.

    Args:
        model: On the GPU, with transformers' default attention.
        longest: Tokens of the longest row to come.
    """
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return False
    # It returns more than a tensor only where it is asked to.
    _register(cast(Callable[..., torch.Tensor], varlen_attn), longest)
    device = model.device
    with torch.autocast(device.type, torch.bfloat16):
        return agrees(
            model,
            longest,
            VARLEN_ATTENTION,
            lambda sizes: inputs(torch.from_numpy(bounds(sizes)).to(device)),
            tolerance=TOLERANCE,
        )


def _register(varlen_attn: Callable[..., torch.Tensor], longest: int) -> None:
    attend = functools.partial(
        _attend, varlen_attn, frozenset(inspect.signature(varlen_attn).parameters), longest
    )
    AttentionInterface.register(VARLEN_ATTENTION, attend)
    AttentionMaskInterface.register(VARLEN_ATTENTION, sdpa_mask)


def _attend(
    varlen_attn: Callable[..., torch.Tensor],
    known: frozenset[str],
    longest: int,
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    row_bounds: torch.Tensor | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Transformers' attention interface: query [1, heads, tokens, size], output [1, tokens, ...].

    Without `row_bounds` it is transformers' own sdpa attention.
    """
    if row_bounds is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    refuse_extras(kwargs)
    if dropout or not {"scale", "window_size"} <= known:
        raise ValueError("this PyTorch's kernel lacks what this model needs")
    # Rotary embeddings leave queries and keys in 32 bits, under autocast too.
    q, k, v = (one[0].transpose(0, 1).to(value.dtype).contiguous() for one in (query, key, value))
    more: dict[str, object] = {}
    if (times := q.shape[1] // k.shape[1]) > 1:
        if "enable_gqa" in known:
            more["enable_gqa"] = True
        else:
            k, v = (one.repeat_interleave(times, 1) for one in (k, v))
    before = -1 if sliding_window is None else sliding_window - 1
    output = varlen_attn(
        *(q, k, v, row_bounds, row_bounds, longest, longest),
        scale=scaling,
        window_size=(before, 0),
        **more,
    )
    return output[None], None
