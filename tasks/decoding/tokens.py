"""Texts into tokens, the same for sampling and for training.

What a policy is trained on must be what it is asked with and what ends its completions: sampling
and the packing of training rows come here for the tokens of a prompt, for those of a completion
and for the token that ends one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.errors import UserError


def prompt_ids(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Tokens of prompts, with the tokenizer's default special tokens in front."""
    return _ids(tokenizer, prompts, special=True)


def completion_ids(tokenizer: Any, completions: Sequence[str]) -> list[list[int]]:
    """Tokens of completions, without any special token and without the end."""
    return _ids(tokenizer, completions, special=False)


def end_id(tokenizer: Any) -> int:
    """The token that ends a completion: the last of a training row, and where sampling stops.

    Raises:
        UserError: the tokenizer has none.
    """
    if tokenizer.eos_token_id is None:
        raise UserError("model.base: the tokenizer has no end-of-text token; expected one")
    return int(tokenizer.eos_token_id)


def _ids(tokenizer: Any, texts: Sequence[str], *, special: bool) -> list[list[int]]:
    if not texts:
        return []
    return tokenizer(
        list(texts), add_special_tokens=special, return_attention_mask=False, verbose=False
    )["input_ids"]
