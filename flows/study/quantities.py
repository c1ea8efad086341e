"""What a claim compares: a metric of an arm, a difference of two, a gain over iterations."""

from __future__ import annotations

from flows.study.results import Quantity, Results


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
