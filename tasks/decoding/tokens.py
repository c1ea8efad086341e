"""Texts into tokens, the same for sampling and for training.

What a policy is trained on must be what it is asked with and what ends its completions: sampling
and the packing of training rows come here for the tokens of a prompt, for those of a completion
and for the token that ends one.

A prompt is a plain text, or one that the policy's chat template has rendered (`chat`). That one has
all its special tokens in it, and what ends a completion is the token that ends an assistant's turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from tasks.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

# A text, or tokens where the text alone does not say which.
Prompt = str | list[int]
# Stands for what an assistant says. A template may trim it, or look for marks of thoughts in it.
_SAID = "0assistant0says0this0"


def prompt_ids(
    tokenizer: Tokenizer, prompts: Sequence[Prompt], *, chat: bool = False
) -> list[list[int]]:
    """Tokens of prompts, with the tokenizer's default special tokens in front.

    Args:
        tokenizer: Of the policy.
        prompts: Texts; tokens are given back as they are.
        chat: The texts are rendered chats, to which no special token is added.
    """
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    found = iter(_ids(tokenizer, texts, special=not chat))
    return [next(found) if isinstance(prompt, str) else prompt for prompt in prompts]


def completion_ids(tokenizer: Tokenizer, completions: Sequence[str]) -> list[list[int]]:
    """Tokens of completions, without any special token and without the end."""
    return _ids(tokenizer, completions, special=False)


def end_id(tokenizer: Tokenizer, *, chat: bool = False) -> int:
    """The token that ends a completion: the last of a training row, and where sampling stops.

    Args:
        tokenizer: Of the policy.
        chat: It ends an assistant's turn and not a text.

    Raises:
        UserError: the tokenizer has none, or its chat template takes no turn of an assistant.
    """
    if chat and (turn := _turn_end(tokenizer)) is not None:
        return turn
    if tokenizer.eos_token_id is None:
        raise UserError("model.base: the tokenizer has no end-of-text token; expected one")
    return int(cast(int, tokenizer.eos_token_id))


def _turn_end(tokenizer: Tokenizer) -> int | None:
    """The first added token behind what an assistant said, as the chat template renders it."""
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _SAID}]
    try:
        rendered = str(tokenizer.apply_chat_template(said, tokenize=False))
    except Exception as error:  # whatever a template does, it is not our program
        why = " ".join(str(error).split())[:120]
        raise UserError(
            f"model.prompt: the model's chat template renders no answer ({why}); expected one that "
            "takes turns of user and assistant"
        ) from None
    _, found, tail = rendered.rpartition(_SAID)
    added = {one.content: number for number, one in tokenizer.added_tokens_decoder.items()}
    if not found:
        return None
    for number in completion_ids(tokenizer, [tail])[0] if tail else []:
        token = tokenizer.added_tokens_decoder.get(number)
        if token is not None and token.content in added and not token.content.isspace():
            return number
    return None


def _ids(tokenizer: Tokenizer, texts: Sequence[str], *, special: bool) -> list[list[int]]:
    if not texts:
        return []
    return tokenizer(
        list(texts), add_special_tokens=special, return_attention_mask=False, verbose=False
    )["input_ids"]
