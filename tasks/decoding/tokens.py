"""Texts into tokens, the same for sampling and for training.

What a policy is trained on must be what it is asked with and what ends its completions: sampling
and the packing of training rows come here for the tokens of a prompt, for those of a completion
and for the token that ends one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from tasks.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer


def prompt_ids(tokenizer: Tokenizer, prompts: Sequence[str]) -> list[list[int]]:
    """Tokens of prompts, with the tokenizer's default special tokens in front."""
    return _ids(tokenizer, prompts, special=True)


def completion_ids(tokenizer: Tokenizer, completions: Sequence[str]) -> list[list[int]]:
    """Tokens of completions, without any special token and without the end."""
    return _ids(tokenizer, completions, special=False)


def end_id(tokenizer: Tokenizer) -> int:
    """The token that ends a completion: the last of a training row, and where sampling stops.

    Raises:
        UserError: the tokenizer has none.
    """
    if tokenizer.eos_token_id is None:
        raise UserError("model.base: the tokenizer has no end-of-text token; expected one")
    return int(cast(int, tokenizer.eos_token_id))


def _ids(tokenizer: Tokenizer, texts: Sequence[str], *, special: bool) -> list[list[int]]:
    if not texts:
        return []
    return tokenizer(
        list(texts), add_special_tokens=special, return_attention_mask=False, verbose=False
    )["input_ids"]
