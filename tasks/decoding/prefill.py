"""Prompts into keys and values: each once for all its samples, and their common start once.

Few-shot exemplars are most of a prompt and the same for all problems, so what all prompts start
with is computed for a batch of one and copied under the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer

from tasks.decoding.kv_cache import plain_layers
from tasks.decoding.tokens import Prompt, prompt_ids
from tasks.errors import UserError


class Prompts:
    """Tokenised prompts, and the keys and values of what all of them start with.

    Attributes:
        ids: Tokens of each prompt.
        lengths: Tokens of each prompt, int64 [prompts].
        bytes_a_token: Of keys and values, over all layers.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[Prompt],
        last: int = 1,
    ) -> None:
        """Compute what all prompts start with.

        Args:
            model: In evaluation mode, on its device.
            tokenizer: Texts of prompts get its default special tokens.
            prompts: Texts, or tokens.
            last: At so many tokens of each prompt the logits are wanted, the last ones.
        """
        self._model, self._count = model, last
        self._layers = plain_layers(model)
        keeps = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._last = {"logits_to_keep": last} if keeps else {}
        self.ids = prompt_ids(tokenizer, prompts)
        if not all(self.ids):
            raise UserError("model.prompt: a prompt has no tokens")
        self.lengths = np.array([len(ids) for ids in self.ids])
        # The last token of a prompt is always computed anew, for its logits.
        most = max(0, int(self.lengths.min()) - last)
        self._shared = min(_common(min(self.ids), max(self.ids)), most)
        head = self.ids[0][: max(self._shared, 1)]
        self._head = self._new_cache()
        self._forward([head], np.array([len(head)]), self._head)
        self.bytes_a_token = sum(
            tensor.nbytes // len(head)
            for layer in self._head.layers
            for tensor in (layer.keys, layer.values)
        )

    def compute(self, picked: Sequence[int]) -> tuple[Cache, torch.Tensor]:
        """Keys and values of some prompts, left-padded, and the logits after each."""
        cache, logits = self.compute_last(picked)
        return cache, logits[:, -1]

    def compute_last(self, picked: Sequence[int]) -> tuple[Cache, torch.Tensor]:
        """The same with the logits at the last tokens of each, [prompts, last, vocabulary]."""
        lengths = self.lengths[list(picked)]
        longest = int(lengths.max())
        cache = self._new_cache()
        shared = self._shared
        if shared:
            # Row r needs the head at the columns that end where the fed tokens begin; what lies
            # before its first token is masked, so any value does there.
            columns = np.arange(shared) - (longest - lengths)[:, None]
            index = torch.from_numpy(columns.clip(0)).to(self._model.device)
            for layer, head in zip(cache.layers, self._head.layers, strict=True):
                layer.update(_spread(head.keys, index), _spread(head.values, index))
        fed = longest - shared
        rows = [self.ids[i][-fed:] for i in picked]
        return cache, self._forward(rows, lengths, cache)

    def _forward(self, rows: list[list[int]], lengths: np.ndarray, cache: Cache) -> torch.Tensor:
        width = max(map(len, rows))
        tokens = torch.zeros(len(rows), width, dtype=torch.long)
        for row, ids in enumerate(rows):
            tokens[row, width - len(ids) :] = torch.tensor(ids)
        total = cache.get_seq_length() + width
        starts = torch.from_numpy(total - lengths)[:, None]
        columns = torch.arange(total)
        device = self._model.device
        output = self._model(
            input_ids=tokens.to(device),
            attention_mask=(columns >= starts).long().to(device),
            position_ids=(columns[-width:] - starts).clamp(min=0).to(device),
            past_key_values=cache,
            use_cache=True,
            **self._last,
        )
        return output.logits[:, -self._count :]

    def _new_cache(self) -> Any:
        # Full layers even where the model's window slides: rows are moved to other columns later.
        return Cache(layers=[DynamicLayer() for _ in range(self._layers)])


def room(model: PreTrainedModel, shortest: int, max_tokens: int) -> int:
    """Tokens of the longest prompt that leaves room for max_tokens."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit and shortest + max_tokens > limit:
        raise UserError(
            f"sampling.max_tokens: a prompt of {shortest} tokens and {max_tokens} more do not fit "
            f"into the model's {limit} positions"
        )
    return limit - max_tokens if limit else 1 << 62


def _common(one: list[int], other: list[int]) -> int:
    """Tokens that both start with; of the first and last in order, tokens that all start with."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _spread(head: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """[1, heads, length, size] at columns [rows, n] to [rows, heads, n, size]."""
    return head[0][:, index].transpose(0, 1)
