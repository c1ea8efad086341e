"""Preferences into tokens: for each pair both whole texts, prompt included, and the label p.

A text is the prompt, the sample and the token that ends it, as the policy is trained on them, so a
reward model that starts from a policy reads what the policy wrote. Pairs of a seeded share of
*problems* are held out, for a problem's pairs share its samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.decoding.tokens import completion_ids, end_id, prompt_ids
from tasks.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass
class TokenPair:
    """Tokens of both texts of a pair, and the probability that the first is the better one."""

    first: list[int]
    second: list[int]
    p: float


@dataclass
class TokenPairs:
    """What there is to fit on, and what was left out."""

    train: list[TokenPair] = field(default_factory=list[TokenPair])
    held_out: list[TokenPair] = field(default_factory=list[TokenPair])
    dropped_long: int = 0
    unlabelled: int = 0

    @property
    def tokens(self) -> int:
        """Of all texts of an epoch."""
        return sum(len(pair.first) + len(pair.second) for pair in self.train)


def pack_pairs(
    preferences: Iterable[Row],
    texts: Mapping[tuple[str, int], str],
    prompts: Mapping[str, str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    held_out: float,
    seed: int,
    chat: bool = False,
) -> TokenPairs:
    """Tokenise pairs, and hold some out.

    Args:
        preferences: Rows of rows.PREFERENCE.
        texts: Of samples, by problem and index.
        prompts: Of problems.
        tokenizer: Of the model that is fit.
        max_length: Most tokens of a text.
        held_out: Share of problems.
        seed: Of which.
        chat: Whether prompts are rendered chats.

    Raises:
        UserError: the tokenizer has no token that ends a text.
    """
    found, end = TokenPairs(), end_id(tokenizer, chat=chat)
    asked = dict(
        zip(prompts, prompt_ids(tokenizer, list(prompts.values()), chat=chat), strict=True)
    )
    said = dict(zip(texts, completion_ids(tokenizer, list(texts.values())), strict=True))
    for row in preferences:
        if row["p"] is None:
            found.unlabelled += 1
            continue
        name = row["problem_id"]
        first, second = (
            [*asked[name], *said[name, row[side]], end] for side in ("first", "second")
        )
        if max(len(first), len(second)) > max_length:
            found.dropped_long += 1
            continue
        side = found.held_out if is_held_out(name, held_out, seed) else found.train
        side.append(TokenPair(first, second, row["p"]))
    return found


def is_held_out(problem_id: str, share: float, seed: int) -> bool:
    """Whether the pairs of a problem are held out; those of a small share are of a larger one."""
    digest = hashlib.sha256(f"{seed}\x1fheld out\x1f{problem_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
