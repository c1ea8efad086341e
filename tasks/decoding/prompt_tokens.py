"""Prompts into tokens: with what the tokenizer puts before a text, and nothing behind it.

A tokenizer may put tokens around every text by itself. Before a prompt stands what it puts before
a text, a begin-of-text token mostly, once: not again where the prompt spells it. Behind a prompt
nothing stands, though some tokenizers end every text: a completion goes on there.

This file imports the standard library alone, because the vLLM engine, which runs under another
environment's Python, loads it by its path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A text, or tokens where the text alone does not say which.
Prompt = str | list[int]
# Texts that tell what a tokenizer adds; it may know no token for the first ones.
_PROBES = ("a", "0", "A", ".", "\n", " ")


def prompt_ids(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], *, chat: bool = False
) -> list[list[int]]:
    """Tokens of prompts.

    Args:
        tokenizer: Of the policy, as transformers has it.
        prompts: Texts; tokens are given back as they are.
        chat: The texts are rendered chats, which have all their special tokens in them.
    """
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    begin = [] if chat or not texts else begin_ids(tokenizer)
    found = iter(plain_ids(tokenizer, texts))
    return [_begun(next(found), begin) if isinstance(one, str) else one for one in prompts]


def begin_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens that a tokenizer puts before every text."""
    for probe in _PROBES:
        (plain,) = plain_ids(tokenizer, [probe])
        whole = tokenizer(probe, return_attention_mask=False, verbose=False)["input_ids"]
        for place in range(len(whole) - len(plain) + 1 if plain else 0):
            if whole[place : place + len(plain)] == plain:
                return whole[:place]
    return []


def plain_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Tokens of texts, without any that the tokenizer adds."""
    if not texts:
        return []
    return tokenizer(
        list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False
    )["input_ids"]


def _begun(ids: list[int], begin: list[int]) -> list[int]:
    return ids if ids[: len(begin)] == begin else [*begin, *ids]
