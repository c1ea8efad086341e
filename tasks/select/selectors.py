"""The selectors: which of a problem's accepted samples are trained on (`filter.select`).

A selector is given the samples of one problem that are left after the threshold, the token limit
and dedup, by index, and returns those that it wants; the cap's draw follows. It sees where a sample
lies, its reward and its length, not its text. One of the user's own: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Candidate(NamedTuple):
    """A sample that may become a row: where it lies, not its text."""

    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  (hides tuple.index)
    digest: bytes
    reward: float
    shard: int
    row: int
    length: int  # characters of its text
    words: frozenset[int] = frozenset()  # solutions.bigrams of it, where a rule asks for them


Selector = Callable[[list[Candidate]], list[Candidate]]
# The same with the problem's id, for messages.
Choose = Callable[[str, list[Candidate]], list[Candidate]]


def every(found: list[Candidate]) -> list[Candidate]:
    """All accepted samples (the paper)."""
    return found


def best(found: list[Candidate]) -> list[Candidate]:
    """Those with the problem's highest reward (RAFT, arXiv 2304.06767)."""
    highest = max(one.reward for one in found)
    return [one for one in found if one.reward == highest]


# `filter.select` -> what it keeps of a problem's samples, of which there is at least one.
SELECTORS: dict[str, Selector] = {
    "threshold": every,
    "best": best,
    "human": every,  # select.py puts the data set's own solution in their place
    "diverse": every,  # the cap keeps those that are unlike each other
}
