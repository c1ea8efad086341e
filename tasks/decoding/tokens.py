"""Texts into tokens, the same for sampling and for training.

What a policy is trained on must be what it is asked with and what ends its completions: sampling
and the packing of training rows come here for the tokens of a prompt, for those of a completion
and for the token that ends one. Where a completion was sampled its tokens are known
(trained_ids.py), and no text is tokenised again.

A prompt is a plain text, or one that the policy's chat template has rendered (`chat`). That one has
all its special tokens in it, and what ends a completion is the token that ends an assistant's turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from tasks.decoding.prompt_tokens import Prompt, plain_ids, prompt_ids
from tasks.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

__all__ = ["Prompt", "completion_ids", "end_id", "prompt_ids"]

# Stands for what an assistant says. A template may trim it, or look for marks of thoughts in it.
_SAID = "0assistant0says0this0"


def completion_ids(tokenizer: Tokenizer, completions: Sequence[str]) -> list[list[int]]:
    """Tokens of texts that stand alone, without any special token and without the end."""
    return plain_ids(tokenizer, completions)


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
