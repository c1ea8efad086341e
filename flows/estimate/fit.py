"""Costs from a few measured times: small non-negative fits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearCost:
    """Seconds of work that grows with a count."""

    fixed: float = 0.0
    each: float = 0.0

    def seconds(self, count: float) -> float:
        """Of so many."""
        return self.fixed + self.each * count


def linear(points: Sequence[tuple[float, float]]) -> LinearCost:
    """The cost that explains (count, seconds) best; nothing where there are no points."""
    if not points:
        return LinearCost()
    return LinearCost(
        *least_squares([[1.0, count] for count, _ in points], [seconds for _, seconds in points])
    )


def least_squares(features: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """Non-negative costs that explain the times best, in relative error.

    Every subset of the costs is tried with the others at zero, for there are at most four. So a
    cost that cannot be told from the others is put to none of them twice.

    Args:
        features: How often each cost is in each time.
    """
    matrix = np.asarray(features, float)
    times = np.maximum(np.asarray(seconds, float), 1e-6)
    matrix, ones = matrix / times[:, None], np.ones(len(times))
    width = matrix.shape[1]
    best, error = [0.0] * width, np.inf
    for size in range(1, min(width, len(times)) + 1):
        for chosen in itertools.combinations(range(width), size):
            columns = list(chosen)
            costs, *_ = np.linalg.lstsq(matrix[:, columns], ones, rcond=None)
            if (costs < 0).any():
                continue
            found = float(((matrix[:, columns] @ costs - ones) ** 2).sum())
            if found < error - 1e-12:
                error, best = found, [0.0] * width
                for column, cost in zip(columns, costs, strict=True):
                    best[column] = float(cost)
    return best
