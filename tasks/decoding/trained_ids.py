"""The tokens that a completion is trained on: those that were sampled, wherever they are known.

A text can be written in tokens in many ways, and a policy is asked to learn the one that it drew.

- Whole samples: their tokens as they were drawn, the token that ended them included. Where that
  ends no text of this policy, because another one drew it, this one's end stands in its place.
- Cut at a stop text: the tokens before the stop, and the policy's end, which the stop stands for.
- Without its thoughts: the tokens of the answer, and its end.
- Cut off at the limit: its tokens and no end, for none was drawn.
- A cut inside a token, tokens of another vocabulary, or no tokens (other people's samples, human
  solutions, services that tell none): the text's tokens behind its prompt (in_context.py), and the
  policy's end.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.decoding.detokenizer import Detokenizer
from tasks.decoding.in_context import InContext
from tasks.decoding.tokens import end_id, prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

# Stands for bytes that are no character. Engines show it, or leave it out at the end.
_NO_CHARACTER = "\ufffd"


class TrainedIds:
    """See the module; for one policy."""

    def __init__(
        self, tokenizer: Tokenizer, *, chat: bool = False, ends: Sequence[int] = ()
    ) -> None:
        """Look at the tokenizer.

        Args:
            tokenizer: Of the policy that is trained.
            chat: Prompts are rendered chats, and completions end with the assistant's turn.
            ends: Tokens that end a completion beside the tokenizer's own (`ends_of`).

        Raises:
            UserError: the tokenizer has no end-of-text token.
        """
        self._tokenizer, self._chat = tokenizer, chat
        self._end = end_id(tokenizer, chat=chat)
        own = tokenizer.eos_token_id
        self._ends = {self._end, *ends, *([own] if isinstance(own, int) else [])}
        self._control = {*tokenizer.added_tokens_decoder, *tokenizer.all_special_ids}
        self._shown = Detokenizer(tokenizer, special=chat)
        self._context = InContext(tokenizer, self._shown, chat=chat)

    def prompts(self, prompts: Sequence[str]) -> list[list[int]]:
        """Tokens of prompts, as they are sampled with."""
        return prompt_ids(self._tokenizer, prompts, chat=self._chat)

    def completions(
        self,
        prompts: Sequence[str],
        begins: Sequence[list[int]],
        texts: Sequence[str],
        sampled: Sequence[Sequence[int] | None],
        finished: Sequence[bool],
    ) -> list[list[int]]:
        """Tokens of completions, each with its end where it has one.

        Args:
            prompts: Their prompts.
            begins: Tokens of these, from `prompts`.
            texts: What is trained on: a sample's text, or a part of it.
            sampled: All tokens of each sample; None where there is only the text.
            finished: Whether it ended, and was not cut off at the limit.
        """
        found = [
            self._aligned(list(ids), text, ended) if ids else None
            for ids, text, ended in zip(sampled, texts, finished, strict=True)
        ]
        left = [place for place, ids in enumerate(found) if ids is None]
        made = self._context.ids(
            [prompts[i] for i in left], [begins[i] for i in left], [texts[i] for i in left]
        )
        for place, ids in zip(left, made, strict=True):
            found[place] = [*ids, self._end] if finished[place] else ids
        # Of nothing at all there is nothing to learn but that it ends.
        return [ids or [self._end] for ids in found if ids is not None]

    def _aligned(self, ids: list[int], text: str, finished: bool) -> list[int] | None:
        """The tokens of a sample that make a text; None where no whole tokens do."""
        if min(ids) < 0:
            return None
        body, end = ids, []
        if finished and ids[-1] in self._ends:
            body, end = ids[:-1], ids[-1:]
        elif finished and ids[-1] in self._control:  # the end of another policy, or of a stop text
            body, end = ids[:-1], [self._end]
        shown = self._shown.text(body)
        if _same(shown, text):
            return [*body, *(end or [self._end])] if finished else ids
        return self._part(body, end, shown, text, finished)

    def _part(
        self, body: list[int], end: list[int], shown: str, text: str, finished: bool
    ) -> list[int] | None:
        """The tokens of a part of a sample: its beginning, or the last place that reads so."""
        begins = 0 if shown.startswith(text) else shown.rfind(text)
        if begins < 0:
            return None
        stops = begins + len(text)
        first = self._tokens_of(body, shown[:begins])
        last = len(body) if stops == len(shown) else self._tokens_of(body, shown[:stops])
        if first is None or last is None or not _same(self._shown.text(body[first:last]), text):
            return None
        if not finished:
            return body[first:last]
        return [*body[first:last], *((last == len(body) and end) or [self._end])]

    def _tokens_of(self, body: list[int], text: str) -> int | None:
        """How many tokens make the beginning of a sample that reads so; None where none do."""
        count = bisect_left(
            range(len(body)), len(text), key=lambda count: len(self._shown.text(body[:count]))
        )
        return count if self._shown.text(body[:count]) == text else None


def ends_of(folder: Path) -> tuple[int, ...]:
    """Tokens that end a policy's completions, by its configuration.

    Args:
        folder: Of the policy.
    """
    found: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        ends = said.get("eos_token_id")
        found.update(ends if isinstance(ends, list) else [] if ends is None else [ends])
    return tuple(sorted(found))


def _same(shown: str, text: str) -> bool:
    """Whether tokens read as a text does, but for bytes that are no character."""
    if shown == text:
        return True
    return _NO_CHARACTER in shown and shown.replace(_NO_CHARACTER, "") == text.replace(
        _NO_CHARACTER, ""
    )
