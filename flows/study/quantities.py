"""What a claim compares: a metric of an arm, a difference of two, a gain over iterations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flows.study.results import Quantity, Results

# Arms that can be in an order.
_FEWEST = 3


def of(arm: str, metric: str = "greedy", at: int = -1) -> Quantity:
    """The value of a metric (results.py names them) of policy p_at of an arm; -1: the last."""
    return lambda results, seed: results.value(arm, seed, metric, at)


def minus(first: Quantity, second: Quantity) -> Quantity:
    """The difference of two quantities of the same seed."""

    def difference(results: Results, seed: int) -> float | None:
        a, b = first(results, seed), second(results, seed)
        return None if a is None or b is None else a - b

    return difference


def better(first: str, second: str, metric: str = "greedy", at: int = -1) -> Quantity:
    """How much an arm is better than another at its end (or both at p_at)."""
    return minus(of(first, metric, at), of(second, metric, at))


def gain(arm: str, metric: str = "greedy", since: int = 0, at: int = -1) -> Quantity:
    """How much an arm's policy p_at is better than its p_since."""
    return minus(of(arm, metric, at), of(arm, metric, since))


def lead(arm: str, metric: str, over: float, at: int = -1) -> Quantity:
    """How far a metric of an arm lies above a number, such as a win rate above one half."""
    value = of(arm, metric, at)

    def difference(results: Results, seed: int) -> float | None:
        found = value(results, seed)
        return None if found is None else found - over

    return difference


def order(arms: Sequence[str], first: tuple[str, int], second: tuple[str, int]) -> Quantity:
    """Spearman's correlation over arms between two metrics, each of policy p_at.

    Args:
        arms: At least three; others that lack a metric are left out.
        first: Metric and policy.
        second: The same.
    """

    def correlation(results: Results, seed: int) -> float | None:
        pairs = [
            (one, other)
            for arm in arms
            if (one := results.value(arm, seed, *first)) is not None
            and (other := results.value(arm, seed, *second)) is not None
        ]
        if len(pairs) < _FEWEST:
            return None
        ranks = np.array([rank_average(column) for column in zip(*pairs, strict=True)])
        spread = ranks.std(axis=1)
        if not spread.all():
            return 0.0  # one of them is the same everywhere and orders nothing
        apart = ranks - ranks.mean(axis=1, keepdims=True)
        return float(apart.prod(axis=0).mean() / spread.prod())

    return correlation


def rank_average(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]
