"""Rewards that look at no reference answer: the majority's, everybody's, and a random control.

- `vote`: the answer that most samples of a problem give is taken for the right one (LMSI, Huang et
  al., arXiv 2210.11610; TTRL, Zuo et al., 2504.16084);
- `any`: every sample is good (simple self-distillation, 2604.01193);
- `random`: of each problem as many samples as are correct, whichever. What training on so many rows
  of the policy's own gives without any knowledge: the control that a gain has to be held against.

The checker's verdicts are there as well, so what a vote is worth is counted (VoteFacts).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tasks.facts import FactsFile


@dataclass(frozen=True, order=True)
class Judged:
    """A sample of a problem with what the checker and the groups say of it.

    Attributes:
        index: Of the sample.
        correct: The checker's verdict.
        usable: Whether selection could keep it, were its reward 1.
        text: A digest, the same for samples that selection takes for one.
        group: Index of the first sample with an equal answer; -1 for no answer.
    """

    index: int
    correct: bool
    usable: bool = True
    text: bytes = b""
    group: int = -1


@dataclass
class VoteFacts(FactsFile):
    """What the votes of a shard's problems are worth, held against the checker's verdicts.

    Attributes:
        problems: With at least one answer; each counts in the shard of its first sample.
        labels_right: Of these, where the majority's answer is correct.
        samples: Of the shard.
        rewards_right: Where the vote's reward is the checker's.
        misled: Samples of problems whose majority is wrong.
        misled_right: Of these, where the vote's reward is the checker's all the same.
    """

    FILE: ClassVar[str] = "votes.json"

    problems: int = 0
    labels_right: int = 0
    samples: int = 0
    rewards_right: int = 0
    misled: int = 0
    misled_right: int = 0

    def add(self, other: VoteFacts) -> None:
        """Count another shard's too."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def winner(samples: Iterable[Judged]) -> int | None:
    """The group that most samples of a problem are in; the one given first, of equals.

    Args:
        samples: Of the problem, by index.

    Returns:
        Index of the group's first sample; None where nobody gave an answer.
    """
    votes = Counter(one.group for one in samples if one.group >= 0)
    # Counter keeps the order of first occurrence, and max takes the first of equals.
    return max(votes, key=lambda group: votes[group]) if votes else None


def by_vote(samples: Sequence[Judged]) -> set[int]:
    """Indices of the samples that gave the majority's answer."""
    won = winner(samples)
    return {one.index for one in samples if won is not None and one.group == won}


def at_random(samples: Sequence[Judged], problem_id: str, seed: int) -> set[int]:
    """As many usable samples, unlike each other, as there are correct ones, by a seeded draw.

    Args:
        samples: Of the problem, by index.
        problem_id: Of the problem.
        seed: Of the draw.
    """
    unlike = list({one.text: one for one in reversed(samples) if one.usable}.values())
    wanted = len({one.text for one in samples if one.usable and one.correct})
    unlike.sort(key=lambda one: _rank(seed, problem_id, one.index))
    return {one.index for one in unlike[:wanted]}


def count_votes(
    problems: Mapping[str, Sequence[Judged]],
    rewarded: Mapping[str, set[int]],
    here: Mapping[str, set[int]],
) -> VoteFacts:
    """Hold the votes against the checker.

    Args:
        problems: All samples of each problem.
        rewarded: Of each problem the indices with reward 1.
        here: Of each problem the indices in the shard that is counted.
    """
    facts = VoteFacts()
    for name, indices in here.items():
        samples = problems[name]
        won = winner(samples)
        right = any(one.correct for one in samples if won is not None and one.index == won)
        if won is not None and min(one.index for one in samples) in indices:
            facts.problems += 1
            facts.labels_right += right
        for one in samples:
            if one.index in indices:
                agrees = (one.index in rewarded[name]) == one.correct
                facts.samples += 1
                facts.rewards_right += agrees
                facts.misled += not right
                facts.misled_right += agrees and not right
    return facts


def _rank(seed: int, problem_id: str, index: int) -> bytes:
    return hashlib.sha256(f"random\x1f{seed}\x1f{problem_id}\x1f{index}".encode()).digest()
