"""Tokens into texts as they read behind a prompt.

Some tokenizers drop the space at the start of a text. So a completion is decoded behind an anchor,
a token of a plain letter, whose text is then taken off; that is what vLLM gives too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.decoding.tokens import completion_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

# Texts that may be the anchor; a tokenizer may know no token for the first ones.
_ANCHORS = ("a", "0", "A", ".", "\n")


class Detokenizer:
    """The texts of completions."""

    def __init__(self, tokenizer: Tokenizer, *, special: bool = False) -> None:
        """Find the anchor.

        Args:
            tokenizer: Of the policy.
            special: Texts show special tokens.
        """
        self._tokenizer, self._special = tokenizer, special
        self._anchor: list[int] = []
        self._skip = 0
        for anchor in _ANCHORS:
            self._anchor = completion_ids(tokenizer, [anchor])[0][-1:]
            if skip := len(self._decode([[]])[0]):
                self._skip = skip
                break

    def texts(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Texts of completions, without special tokens unless they are asked for."""
        return [text[self._skip :] for text in self._decode(rows)]

    def text(self, row: Sequence[int]) -> str:
        """The text of one."""
        return self.texts([row])[0]

    def _decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        if not rows:
            return []
        return self._tokenizer.batch_decode(
            [[*self._anchor, *row] for row in rows],
            skip_special_tokens=not self._special,
            clean_up_tokenization_spaces=False,
        )
