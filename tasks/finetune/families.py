"""What single families of models need before they are trained.

LongRoPE (arXiv 2402.13753) has two sets of factors and takes the long ones for all rows of a batch
once the longest is long; here each row gets those of its own length, as it does in sampling. What
else stands here are mends of what transformers, TRL and peft do not agree upon.
"""

from __future__ import annotations

from types import MethodType
from typing import cast

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from tasks.decoding.kv_cache import longrope_switch

# Mamba's own kernels read these weights past the layer; peft refuses adapters on them
# (peft.tuners.tuners_utils), but only for these models, the others being computed otherwise.
_MAMBA = ("falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h")
_MAMBA_LAYERS = ("out_proj", "conv1d")


def mend(model: PreTrainedModel) -> None:
    """Make a model ready for training on rows that share a batch."""
    if longrope_switch(model.config) is not None:
        for module in model.modules():
            if "RotaryEmbedding" in type(module).__name__:
                module.forward = MethodType(_by_row, module)
    inner: object = getattr(model, "model", None)
    if model.base_model is model and isinstance(inner, PreTrainedModel):
        # Llama 4's prefix names no part of it, so that TRL finds no layers below the head.
        model.base_model_prefix = "model"


def without_adapter(model: PreTrainedModel) -> list[str]:
    """Names of linear layers that get no adapter, because a plain product is not all they do."""
    names = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and "Router" in type(module).__name__
    }
    if getattr(model.config, "model_type", "") in _MAMBA:
        names |= set(_MAMBA_LAYERS)
    return sorted(names)


def _by_row(
    self: nn.Module, x: torch.Tensor, position_ids: torch.Tensor, *args: object, **kwargs: object
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of a batch in which each row has the factors of its own length.

    Args:
        self: A module of rotary embeddings.
        x: Hidden states.
        position_ids: [batch, tokens]; a row begins where they are 0.
        args: Of the module's own forward.
        kwargs: The same.
    """
    plain = type(self).forward
    switch = longrope_switch(cast(PreTrainedConfig, self.config))
    assert switch is not None
    rows = (position_ids == 0).cumsum(1)
    last = position_ids.new_zeros(len(rows), rows.shape[1] + 1)
    last = last.scatter_reduce(1, rows, position_ids, "amax")
    is_long = (last.gather(1, rows) >= switch)[..., None]
    # Positions of long rows are replaced, so that the longest of what is left is short.
    short = plain(self, x, position_ids.masked_fill(is_long[..., 0], 0), *args, **kwargs)
    long = plain(self, x, position_ids.where(is_long[..., 0], switch), *args, **kwargs)
    return torch.where(is_long, long[0], short[0]), torch.where(is_long, long[1], short[1])
