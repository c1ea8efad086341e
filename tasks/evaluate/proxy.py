"""The reward that a policy is trained for beside the reward that is meant.

What a reward model or a judge gives is a proxy. A policy that is trained for it long enough finds
answers that please it and are no better (Gao et al., arXiv 2210.10760: over-optimisation; ReST,
arXiv 2308.08998, section 4, sees it as well). So each new policy is rated by what rated its
training samples, on greedy answers to test problems, beside the oracle's reward of the same
answers: against the policy before it, and against the base, for small falls add up. All three are
rated alike, because the rewards of two models have no common scale.

Differences are paired over problems, with bootstrap intervals (intervals.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tasks.evaluate.intervals import Interval, interval, paired_difference
from tasks.facts import Facts, FactsFile


@dataclass(frozen=True)
class ProxyLevel(Facts):
    """Mean rewards of a policy's greedy answers; `oracle` is None where nothing checks them."""

    policy: int
    proxy: Interval
    oracle: Interval | None


@dataclass(frozen=True)
class ProxyChange(Facts):
    """What a policy gained since an earlier one, `since`, on the same problems."""

    since: int
    proxy: Interval
    oracle: Interval | None

    @property
    def parted(self) -> bool:
        """Whether the proxy rose while the oracle's reward fell, by its whole interval."""
        return self.oracle is not None and self.proxy.value > 0 > self.oracle.high


@dataclass(frozen=True)
class ProxyMetrics(FactsFile):
    """A policy, and those before it, by what rated the samples that it was trained on.

    Attributes:
        rater: Digest of the reward model or the judge.
        levels: Of the base, the policy before and this one, each once.
        changes: Of this one since the others.
    """

    FILE: ClassVar[str] = "proxy.json"

    rater: str
    levels: list[ProxyLevel]
    changes: list[ProxyChange]

    @property
    def now(self) -> ProxyLevel:
        """The newest policy's."""
        return self.levels[-1]

    @property
    def parted(self) -> ProxyChange | None:
        """The change by which both part: since the policy before, else since the base."""
        return next((one for one in reversed(self.changes) if one.parted), None)


@dataclass(frozen=True)
class Rewards:
    """Rewards by problem of a policy's greedy answers; `oracle` is empty where there is none."""

    policy: int
    proxy: Mapping[str, float]
    oracle: Mapping[str, float]


def compare_rewards(
    rater: str, policies: Sequence[Rewards], resamples: int, confidence: float, seed: int
) -> ProxyMetrics:
    """How far the proxy of each policy goes with the oracle.

    Args:
        rater: Digest of what gave the proxy.
        policies: All rated by it, the newest last.
        resamples: Of the bootstrap.
        confidence: Of the intervals.
        seed: Of the bootstrap.

    Raises:
        ValueError: a policy has no answer, or two have none to the same problem.
    """

    def level(values: Mapping[str, float]) -> Interval:
        return interval(list(values.values()), resamples, confidence, seed)

    def change(before: Mapping[str, float], after: Mapping[str, float]) -> Interval:
        both = sorted(before.keys() & after.keys())
        first, second = ([side[name] for name in both] for side in (before, after))
        return paired_difference(first, second, resamples, confidence, seed)

    now = policies[-1]
    return ProxyMetrics(
        rater,
        [
            ProxyLevel(one.policy, level(one.proxy), level(one.oracle) if one.oracle else None)
            for one in policies
        ],
        [
            ProxyChange(
                one.policy,
                change(one.proxy, now.proxy),
                change(one.oracle, now.oracle) if one.oracle and now.oracle else None,
            )
            for one in policies[:-1]
        ],
    )
