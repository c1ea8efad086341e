"""Keys and values of a batch whose rows come and go: one preallocated buffer a layer.

Every row is left-padded to the same last column, so a step writes one column of all rows. A row
that ends is overwritten by the prompt of another one, and columns that no row needs any more are
dropped when the buffer is full. Layers with a sliding window keep all their columns here: the
model's own mask hides those outside the window, because a row's columns are contiguous.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Cache, DynamicCache, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from tasks.decoding.shapes import EXACT, Shapes

# Room for so many columns is made at once; copying all rows is paid once for so many steps.
_SLACK = 64


class BufferLayer(DynamicLayer):
    """One layer's buffer, of shape [rows, heads, columns, size]; columns lo..hi are in use."""

    def __init__(self) -> None:
        super().__init__()
        self.lo = 0
        self.hi = 0
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the newest columns; returns all that are in use."""
        assert self.keys is not None and self.values is not None
        end = self.hi + key_states.shape[-2]
        self.keys[:, :, self.hi : end] = key_states
        self.values[:, :, self.hi : end] = value_states
        self.hi = end
        return self.keys[:, :, self.lo : end], self.values[:, :, self.lo : end]

    def get_seq_length(self) -> int:
        """Columns in use."""
        return self.hi - self.lo


class RowCache(Cache):
    """A cache that all models with plain attention accept, with rows that can be replaced."""

    layers: list[Any]

    def __init__(self, layers: int, shapes: Shapes = EXACT) -> None:
        """Make an empty cache of these sizes; buffers appear with the first `put`."""
        super().__init__(layers=[BufferLayer() for _ in range(layers)])
        self._shapes = shapes
        # Where columns are rounded up, some before the first one are in use too.
        self._before = shapes.columns if shapes.columns > 1 else 0

    @property
    def span(self) -> int:
        """Columns in use."""
        return self.layers[0].get_seq_length()

    def put(
        self, rows: torch.Tensor, source: Cache, picked: torch.Tensor, columns: int, size: int
    ) -> None:
        """Copy prompts into rows, so that they end at the last column in use.

        Args:
            rows: Rows to overwrite, [n].
            source: Cache of the prompts, left-padded.
            picked: Row of `source` for each of `rows`, [n].
            columns: Last columns of `source` to copy; at most `span` unless the cache is empty.
            size: Rows of the buffer, used when it is made.
        """
        for mine, other in zip(self.layers, source.layers, strict=True):
            for name in ("keys", "values"):
                new = getattr(other, name)[:, :, -columns:]
                if getattr(mine, name) is None:
                    wide = self._shapes.width(columns)
                    end = self._before + wide
                    shape = (size, new.shape[1], end + _SLACK, new.shape[3])
                    setattr(mine, name, new.new_zeros(shape))
                    mine.lo, mine.hi = end - wide, end
                getattr(mine, name)[rows, :, mine.hi - columns : mine.hi] = new[picked]

    def make_room(self, used: int) -> None:
        """See that one more column fits, keeping the last `used` ones.

        Raises:
            torch.OutOfMemoryError: the device has no room left.
        """
        for layer in self.layers:
            layer.lo = layer.hi - used
            if layer.hi < layer.keys.shape[2]:
                continue
            for name in ("keys", "values"):
                old = getattr(layer, name)
                # A quarter of the span on top, so that long sequences are not moved often.
                end = self._before + used
                shape = (*old.shape[:2], end + _SLACK + used // 4, old.shape[3])
                new = old.new_empty(shape)
                new[:, :, self._before : end] = old[:, :, layer.lo : layer.hi]
                # Masked columns count nothing only if they hold numbers: 0 * NaN is NaN.
                new[:, :, : self._before] = 0
                new[:, :, end:] = 0
                setattr(layer, name, new)
            layer.lo, layer.hi = self._before, end

    def keep(self, order: torch.Tensor, size: int) -> None:
        """Move rows `order[i]` to `i` where they differ, and drop those from `size` on.

        Args:
            order: The row that comes to each place, [size]; a row that moves comes from beyond.
            size: Rows that remain.
        """
        targets = (order != torch.arange(size, device=order.device)).nonzero()[:, 0]
        sources = order[targets]
        for layer in self.layers:
            for tensor in (layer.keys, layer.values):
                tensor[targets] = tensor[sources]
            layer.keys, layer.values = layer.keys[:size], layer.values[:size]


def plain_layers(model: PreTrainedModel) -> int:
    """Number of layers of a model whose state is keys and values alone (`is_plain`)."""
    return len(DynamicCache(config=model.config).layers)


def is_plain(config: PreTrainedConfig) -> bool:
    """Whether all layers keep keys and values and nothing else.

    Others are recurrent, shared or compressed, and padding would become part of their state.
    """
    layers = DynamicCache(config=config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def longrope_switch(config: PreTrainedConfig) -> int | None:
    """Tokens up to which LongRoPE takes its short factors; None: the model has no LongRoPE.

    Beyond, by the longest row of a batch, all rows of it take the long ones (arXiv 2402.13753).
    """
    text = config.get_text_config()
    parameters = getattr(text, "rope_parameters", None) or {}
    # Layers of several kinds have parameters each.
    found = [parameters, *(one for one in parameters.values() if isinstance(one, dict))]
    lengths = [
        one.get("original_max_position_embeddings")
        or getattr(text, "original_max_position_embeddings", None)
        for one in found
        if one.get("rope_type") == "longrope"
    ]
    return min((int(length) for length in lengths if length), default=None)
