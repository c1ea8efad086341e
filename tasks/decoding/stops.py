"""When a completion ends: end-of-text tokens and stop texts, and the text without them.

Looking for stop texts must cost next to nothing, for it happens after every token of every row. A
stop can only have become complete if its last character came with the newest token; which tokens
carry such a character is found out once for each token. Only those rows are decoded, and of them
only the tail.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tasks.decoding.detokenizer import Detokenizer
from tasks.decoding.tokens import end_id

_UNKNOWN, _HARMLESS, _SUSPECT = 0, 1, 2
# A character is at most four bytes of UTF-8, and a token at least one byte.
_TOKENS_A_CHARACTER = 4


class Stops:
    """The stop conditions of one model, tokenizer and list of stop texts."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        stop: Sequence[str],
        ends: Sequence[int] = (),
        *,
        special: bool = False,
    ) -> None:
        """See tasks.decoding.request.Sampling for `stop`, `ends` and `special`."""
        self._stop = [text for text in stop if text]
        self._ends = {text[-1] for text in self._stop} | ({"\ufffd"} if self._stop else set())
        self._tail = _TOKENS_A_CHARACTER * max(map(len, self._stop), default=0) + 8
        vocabulary = max(len(tokenizer), model.config.get_text_config().vocab_size)
        self._kind = np.full(vocabulary, _UNKNOWN if self._stop else _HARMLESS, np.int8)
        self._is_end = np.zeros(vocabulary, bool)
        self._is_end[[*_end_ids(model, tokenizer), *ends]] = True
        self._text = Detokenizer(tokenizer, special=special)

    def ended(self, tokens: np.ndarray) -> np.ndarray:
        """Which of the newest tokens are end-of-text tokens; bool of the same shape."""
        return self._is_end[tokens]

    def suspect(self, tokens: np.ndarray) -> np.ndarray:
        """Which of the newest tokens may have completed a stop text; bool of the same shape."""
        kinds = self._kind[tokens]
        for token in np.unique(tokens[kinds == _UNKNOWN]):
            # Twice, so that a space in front of the piece shows at least once.
            piece = self.texts([[int(token)] * 2])[0]
            self._kind[token] = _HARMLESS if self._ends.isdisjoint(piece) else _SUSPECT
        return self._kind[tokens] == _SUSPECT

    def cut(self, tokens: Sequence[int]) -> str | None:
        """The text before the first stop text, or None if the tokens hold none."""
        tail = self.texts([tokens[-self._tail :]])[0]
        if not any(stop in tail for stop in self._stop):
            return None
        text = self.texts([tokens])[0]
        places = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        return text[: min(places)] if places else None

    def texts(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Texts of completions, without special tokens unless they are asked for."""
        return self._text.texts(rows)


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """End-of-text ids of the generation configuration and of the tokenizer."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    if tokenizer.eos_token_id is not None:
        ids = [*ids, end_id(tokenizer)]
    return sorted({int(i) for i in ids if i is not None})
