"""What a verifier makes of a policy's samples at test time: best of k, and a weighted vote.

A verifier is a reward model. Trained on right and wrong samples of the policy it says how likely a
solution is right, without any reference (V-STaR, Hosseini et al., arXiv 2402.06457). Of the first k
samples of a problem

- `best@k` takes the one with the highest reward;
- `wvote@k` takes the answer with the largest sum of rewards (Li et al., arXiv 2206.02336);

beside `maj@k`, where each answer counts once, and `pass@k`, which no choice can exceed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tasks.evaluate.intervals import Interval, interval, paired_difference
from tasks.evaluate.metrics import grouped, majority_correct
from tasks.facts import FactsFile
from tasks.rows import Row

Key = tuple[str, int]


@dataclass(frozen=True)
class Verified(FactsFile):
    """Accuracy at test time by name, and what the verifier adds to the plain vote.

    Attributes:
        metrics: best@K, wvote@K and maj@K; votes where answers are grouped.
        over_majority: best@K and wvote@K minus maj@K on the same problems.
    """

    FILE: ClassVar[str] = "verified.json"

    metrics: dict[str, Interval] = field(default_factory=dict)
    over_majority: dict[str, Interval] = field(default_factory=dict)


def best_correct(rewards: Sequence[float], correct: Sequence[bool]) -> bool:
    """Whether the sample with the highest reward is right; the first of equals.

    Args:
        rewards: Of the verifier.
        correct: The checker's verdicts.
    """
    return bool(correct[max(range(len(rewards)), key=rewards.__getitem__)])


def weighted_correct(
    groups: Sequence[int], rewards: Sequence[float], correct: Sequence[bool]
) -> bool:
    """Whether the answer with the largest sum of rewards is right; the one given first of equals.

    Args:
        groups: Of each sample the group of its answer; negative: no answer, no vote.
        rewards: Of the verifier.
        correct: The checker's verdicts.
    """
    sums: dict[int, float] = defaultdict(float)
    for group, reward in zip(groups, rewards, strict=True):
        if group >= 0:
            sums[group] += reward
    if not sums:
        return False
    won = max(sums, key=sums.__getitem__)  # a dict keeps the order of first occurrence
    return bool(correct[list(groups).index(won)])


def verify(
    rows: Iterable[Row],
    rewards: Mapping[Key, float],
    groups: Mapping[Key, int] | None,
    sizes: Sequence[int],
    resamples: int,
    confidence: float,
    seed: int,
) -> Verified:
    """All figures, with intervals over problems.

    Args:
        rows: Samples of test problems with the checker's verdicts.
        rewards: The verifier's, by problem and index.
        groups: The group of each answer; None where there is no vote.
        sizes: The k.
        resamples: Of the bootstrap.
        confidence: Level of the intervals.
        seed: Of the resamples.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for name, samples in grouped(rows).items():
        keys = [(name, index) for index in samples.indices]
        given = [rewards[key] for key in keys]
        for k in sizes:
            right = samples.correct[:k]
            found[f"best@{k}"].append(float(best_correct(given[:k], right)))
            if groups is not None:
                said = [groups[key] for key in keys[:k]]
                found[f"wvote@{k}"].append(float(weighted_correct(said, given[:k], right)))
                found[f"maj@{k}"].append(float(majority_correct(said, right, k)))
    more: dict[str, Interval] = {}
    for name, values in found.items():
        plain = found.get(f"maj@{name.partition('@')[2]}")
        if plain is not None and not name.startswith("maj@"):
            more[name] = paired_difference(plain, values, resamples, confidence, seed)
    bounds = {name: interval(one, resamples, confidence, seed) for name, one in found.items()}
    return Verified(bounds, more)
