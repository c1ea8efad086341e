"""Attention over packed rows without a mask: each row by itself, rows of like length at once.

With a block-diagonal mask a sequence of 1,024 tokens costs 1,024 squared per head, though the rows
in it see a small part of that. Here the tokens of a flat batch are moved to one small batch for
each class of row lengths, where plain causal attention keeps rows apart because they do not meet.
Padding stands behind a row, so no token of it sees any. For models whose attention goes through
transformers' attention interface; `fits` tries it and compares.

Does not cover the fast kernels for variable lengths of flash attention, which is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ROW_ATTENTION = "restem_rows"
# Rows shorter than this share of the longest of a class go to the next class: at most so much of
# a class is padding, and few classes mean few calls.
SHORTEST = 0.8


class Layout(NamedTuple):
    """Where the tokens of a flat batch stand in the small batches.

    Attributes:
        shapes: Rows and columns of each small batch. Plain numbers: to read them off a GPU each
            layer would have to wait for it.
        there: The token at each place of the small batches, one after another; 0 for padding.
        back: The place of each token, [tokens].
        padding: The places that hold padding.
    """

    shapes: list[tuple[int, int]]
    there: torch.Tensor
    back: torch.Tensor
    padding: torch.Tensor

    def to(self, device: torch.device) -> Layout:
        """The same for a batch on a device."""
        there, back, padding = (part.to(device) for part in (self.there, self.back, self.padding))
        return Layout(self.shapes, there, back, padding)


def layout(lengths: Sequence[int]) -> Layout:
    """Sort the rows of a flat batch, given their lengths in order, into classes."""
    sizes = np.asarray(lengths)
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(-sizes, kind="stable")
    there, shapes, first = [], [], 0
    while first < len(order):
        longest = int(sizes[order[first]])
        rows = order[first:]
        rows = rows[: int(np.count_nonzero(sizes[rows] >= SHORTEST * longest))]
        columns = np.arange(longest)
        inside = columns < sizes[rows, None]
        there.append(np.where(inside, starts[rows, None] + columns, -1).ravel())
        shapes.append((len(rows), longest))
        first += len(rows)
    places = np.concatenate(there)
    filled = np.flatnonzero(places >= 0)
    back = np.empty(int(sizes.sum()), np.int64)
    back[places[filled]] = filled
    parts = (places.clip(0), back, np.flatnonzero(places < 0))
    return Layout(shapes, *(torch.from_numpy(part) for part in parts))


def inputs(rows: Layout) -> dict[str, object]:
    """What a model's forward pass needs beside tokens and positions."""
    return {"attention_mask": unread_mask(rows.there.device), "packed_rows": rows}


def unread_mask(device: torch.device) -> torch.Tensor:
    """A mask of four dimensions, which keeps the model from making one of its own.

    It is never read; an attention that reads it all the same gives no number, rather than mixing
    the rows unseen.
    """
    return torch.full((1, 1, 1, 1), torch.nan, device=device)


def fits(model: PreTrainedModel, longest: int) -> bool:
    """Whether a model computes the same with this attention; if so, it uses it from now on.

    Args:
        model: With transformers' default attention.
        longest: Tokens of the longest row to come.
    """

    def rows(sizes: Sequence[int]) -> dict[str, object]:
        return inputs(layout(sizes).to(model.device))

    return agrees(model, longest, ROW_ATTENTION, rows, tolerance=1e-4)


def agrees(
    model: PreTrainedModel,
    longest: int,
    attention: str,
    apart: Callable[[Sequence[int]], dict[str, object]],
    *,
    tolerance: float,
) -> bool:
    """Whether an attention gives what a mask gives; if so, the model uses it from now on.

    Args:
        model: With transformers' default attention.
        longest: Tokens of the longest row to come.
        attention: Its name in transformers' attention interface.
        apart: From the lengths of a flat batch's rows what the model needs to keep them apart.
        tolerance: Largest difference of two logits, as a share of the largest logit, or of 1.
    """
    if getattr(model.config, "_attn_implementation", None) != "sdpa":
        return False
    text = model.config.get_text_config()
    # Beyond a window tokens are not seen; there too both must agree.
    windows = [getattr(text, name, None) for name in ("sliding_window", "attention_chunk_size")]
    first = min(longest, 3 + max([window for window in windows if window], default=8))
    sizes = [first, 5, 3]
    was_training = model.training
    model.eval()
    ids = (torch.arange(sum(sizes), device=model.device) * 7 % min(text.vocab_size, 1000))[None]
    positions = torch.cat([torch.arange(size, device=model.device) for size in sizes])[None]
    given = {"input_ids": ids, "position_ids": positions, "use_cache": False}
    with torch.no_grad():
        masked = model(**given).logits
        try:
            model.set_attn_implementation(attention)
            by_row = model(**given, **apart(sizes)).logits
        except (TypeError, ValueError, RuntimeError):
            by_row = None
    model.train(was_training)
    limit = tolerance * max(1.0, float(masked.abs().max()))
    if by_row is None or not float((masked - by_row).abs().max()) <= limit:
        model.set_attn_implementation("sdpa")
        return False
    return True


class _Context(Protocol):
    """Of torch.autograd: what the way there leaves for the way back."""

    saved_tensors: tuple[torch.Tensor, ...]
    unused: torch.Tensor | None

    def save_for_backward(self, *tensors: torch.Tensor) -> None: ...


class _Move(torch.autograd.Function):
    """Pick rows of a matrix, where the way back is to pick too: no sums over indices."""

    @staticmethod
    def forward(
        ctx: _Context,
        x: torch.Tensor,
        to: torch.Tensor,
        back: torch.Tensor,
        unused: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.save_for_backward(back)
        ctx.unused = unused
        return x.index_select(0, to)

    @staticmethod
    def backward(ctx: _Context, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (back,) = ctx.saved_tensors
        gradient = gradients[0].index_select(0, back)
        if ctx.unused is not None:
            gradient.index_fill_(0, ctx.unused, 0.0)
        return gradient, None, None, None


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    packed_rows: Layout | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Transformers' attention interface: query [1, heads, tokens, size], output [1, tokens, ...].

    Without `packed_rows` it is transformers' own sdpa attention.
    """
    if packed_rows is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    refuse_extras(kwargs)
    rows = packed_rows
    parts = [_spread(states, rows) for states in (query, key, value)]
    sizes = [n * length for n, length in rows.shapes]
    outputs = []
    for (n, length), q, k, v in zip(
        rows.shapes, *(part.split(sizes) for part in parts), strict=True
    ):
        banded = sliding_window is not None and sliding_window < length
        out = scaled_dot_product_attention(
            *(x.unflatten(0, (n, length)).transpose(1, 2) for x in (q, k, v)),
            attn_mask=_band(length, sliding_window, q.device) if banded else None,
            dropout_p=dropout,
            scale=scaling,
            is_causal=not banded,
            enable_gqa=key.shape[1] != query.shape[1],
        )
        outputs.append(out.transpose(1, 2).flatten(0, 1))
    joined = torch.cat(outputs).flatten(1)
    output = cast(torch.Tensor, _Move.apply(joined, rows.back, rows.there, rows.padding))
    return output.unflatten(1, (query.shape[1], -1))[None], None


def refuse_extras(asked: dict[str, object]) -> None:
    """See that a layer asks for nothing that attention by row does not do.

    Raises:
        ValueError: it does.
    """
    if asked.get("softcap") is not None or asked.get("s_aux") is not None:
        raise ValueError("this attention has neither soft caps nor sinks")


def _spread(states: torch.Tensor, rows: Layout) -> torch.Tensor:
    """[1, heads, tokens, size] to [places, heads, size]."""
    flat = states[0].transpose(0, 1).flatten(1)
    moved = cast(torch.Tensor, _Move.apply(flat, rows.there, rows.back, None))
    return moved.unflatten(1, (states.shape[1], -1))


def _band(length: int, window: int | None, device: torch.device) -> torch.Tensor:
    """Which tokens see which, [length, length], when each sees itself and window - 1 before."""
    ones = torch.ones(length, length, dtype=torch.bool, device=device)
    return ones.tril() & ones.triu(1 - (window or length))


AttentionInterface.register(ROW_ATTENTION, _attend)
AttentionMaskInterface.register(ROW_ATTENTION, sdpa_mask)
