"""Preferences into tokens: for each pair both whole texts, prompt included, and the label p.

A text is the prompt, the sample and the token that ends it, the very tokens that were sampled where
they are known (tasks/decoding/trained_ids.py), so a reward model that starts from a policy reads
what the policy wrote. Pairs of a seeded share of
*problems* are held out, for a problem's pairs share its samples. Half of these problems are watched
during the fit and choose its weights; only the other half can say how good the model is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.decoding.trained_ids import TrainedIds
from tasks.rows import Row

# A sample's text, and its tokens where they are known.
Sampled = tuple[str, Sequence[int] | None]
# Problem, and the indices of both samples.
PairName = tuple[str, int, int]


@dataclass
class TokenPair:
    """Tokens of both texts of a pair, and the probability that the first is the better one."""

    first: list[int]
    second: list[int]
    p: float
    name: PairName = ("", 0, 0)


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
    samples: Mapping[tuple[str, int], Sampled],
    prompts: Mapping[str, str],
    trained: TrainedIds,
    *,
    max_length: int,
    held_out: float,
    seed: int,
) -> TokenPairs:
    """Tokenise pairs, and hold some out.

    Args:
        preferences: Rows of rows.PREFERENCE.
        samples: By problem and index.
        prompts: Of problems.
        trained: Of the model that is fit.
        max_length: Most tokens of a text.
        held_out: Share of problems.
        seed: Of which.
    """
    found = TokenPairs()
    asked = [(prompts[name], *sampled) for (name, _), sampled in samples.items()]
    whole = dict(zip(samples, whole_ids(trained, asked), strict=True))
    for row in preferences:
        if row["p"] is None:
            found.unlabelled += 1
            continue
        name = row["problem_id"]
        first, second = whole[name, row["first"]], whole[name, row["second"]]
        if max(len(first), len(second)) > max_length:
            found.dropped_long += 1
            continue
        side = found.held_out if is_held_out(name, held_out, seed) else found.train
        side.append(TokenPair(first, second, row["p"], (name, row["first"], row["second"])))
    return found


def shuffled(pairs: Sequence[TokenPair], seed: int) -> list[TokenPair]:
    """The pairs with each other's labels: what is learnt of them is in no label."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    return [replace(pair, p=pairs[place].p) for pair, place in zip(pairs, order, strict=True)]


def is_watched(problem_id: str, share: float, seed: int) -> bool:
    """Whether the pairs of a held-out problem choose the weights; half of the problems do."""
    return is_held_out(problem_id, share / 2, seed)


def whole_ids(
    trained: TrainedIds, texts: Sequence[tuple[str, str, Sequence[int] | None]]
) -> list[list[int]]:
    """Tokens of whole texts, in order.

    Args:
        trained: Of the reward model.
        texts: Prompt, sample, and the sample's tokens where they are known.
    """
    prompts = [prompt for prompt, _, _ in texts]
    begins = trained.prompts(prompts)
    said, ids = [text for _, text, _ in texts], [ids for _, _, ids in texts]
    completions = trained.completions(prompts, begins, said, ids, [True] * len(texts))
    return [[*begin, *rest] for begin, rest in zip(begins, completions, strict=True)]


def is_held_out(problem_id: str, share: float, seed: int) -> bool:
    """Whether the pairs of a problem are held out; those of a small share are of a larger one."""
    digest = hashlib.sha256(f"{seed}\x1fheld out\x1f{problem_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
