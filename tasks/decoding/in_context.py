"""Texts that nobody sampled into tokens, as they stand behind their prompts.

They are those of prompt and text together without those of the prompt. A tokenizer with a dummy
prefix puts a space before a text that stands alone, which a policy would learn to write.

Where prompt and text meet in one token, the prompt keeps its tokens as it is sampled with, and the
text is tokenised alone or behind another text, whichever decodes to the same text. If none does, as
with a tokenizer that folds case or does not know a character, the likest is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os.path import commonprefix
from typing import TYPE_CHECKING

from tasks.decoding.detokenizer import Detokenizer
from tasks.decoding.tokens import completion_ids, prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

# Texts that a text may be tokenised behind.
_BEFORE = ("\n", "a", "0", ".", " ")
_FIRST = ("", "\n")
# Characters of prompts and texts that are tokenised at once; bounds the memory.
_CHARACTERS_AT_ONCE = 1_000_000


class InContext:
    """See the module; for one policy."""

    def __init__(self, tokenizer: Tokenizer, shown: Detokenizer, *, chat: bool) -> None:
        """Remember how.

        Args:
            tokenizer: Of the policy.
            shown: Its texts.
            chat: Prompts are rendered chats.
        """
        self._tokenizer, self._shown, self._chat = tokenizer, shown, chat

    def ids(
        self, prompts: Sequence[str], begins: Sequence[list[int]], texts: Sequence[str]
    ) -> list[list[int]]:
        """Tokens of texts without an end.

        Args:
            prompts: What the texts follow.
            begins: Tokens of the prompts.
            texts: The texts.
        """
        made: list[list[int]] = []
        for part in _parts([len(a) + len(b) for a, b in zip(prompts, texts, strict=True)]):
            made += self._ids(prompts[part], begins[part], texts[part])
        return made

    def _ids(
        self, prompts: Sequence[str], begins: Sequence[list[int]], texts: Sequence[str]
    ) -> list[list[int]]:
        unknown = self._tokenizer.unk_token_id
        both = [a + b for a, b in zip(prompts, texts, strict=True)]
        together = prompt_ids(self._tokenizer, both, chat=self._chat)
        tries = [_Try(text) for text in texts]
        self._see(
            tries,
            [
                # How much of a text an unknown token stands for is not known.
                None if begin and begin[-1] == unknown else _behind(begin, ids)
                for begin, ids in zip(begins, together, strict=True)
            ],
        )
        for before in ("", *_BEFORE):
            left = [one for one in tries if not one.right]
            if before not in _FIRST:  # where something is unknown no tokens give the text
                left = [one for one in left if unknown not in one.best]
            if not left:
                break
            (begin,) = completion_ids(self._tokenizer, [before])
            made = completion_ids(self._tokenizer, [before + one.text for one in left])
            self._see(left, [_behind(begin, ids) for ids in made])
        return [one.best for one in tries]

    def _see(self, tries: Sequence[_Try], made: Sequence[list[int] | None]) -> None:
        """Take tokens that read more like the texts than those before."""
        shown = self._shown.texts([ids or [] for ids in made])
        for one, ids, read in zip(tries, made, shown, strict=True):
            like = len(commonprefix((read, one.text)))  # noqa: RUF071 - of texts, not of paths
            if ids is not None and like > one.like:
                one.best, one.like, one.right = ids, like, read == one.text


@dataclass
class _Try:
    """What was found for a text."""

    text: str
    best: list[int] = field(default_factory=list)
    like: int = -1  # characters of the text that these read as
    right: bool = False


def _behind(begin: list[int], ids: list[int]) -> list[int] | None:
    """What follows a beginning; None where it is none."""
    return ids[len(begin) :] if ids[: len(begin)] == begin else None


def _parts(sizes: Sequence[int]) -> Iterator[slice]:
    """Slices of a bounded size, of one place at least."""
    first = size = 0
    for place, one in enumerate(sizes):
        if place > first and size + one > _CHARACTERS_AT_ONCE:
            yield slice(first, place)
            first, size = place, 0
        size += one
    if sizes:
        yield slice(first, len(sizes))
