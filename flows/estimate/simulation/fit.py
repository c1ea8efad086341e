"""From what a probe measured to the parts of a simulation: small non-negative fits.

An engine's time on a shard is a sum of four costs (a request, a prompt, a decoding step, a row of
it), so a few shards of different sizes give all four. Times are never negative, and a cost that
cannot be told from the others is put to none of them twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from flows.estimate.simulation.batching import active_rows
from flows.estimate.simulation.costs import EngineParts, ScoreParts
from tasks.rows import Json


@dataclass(frozen=True)
class Measured:
    """One step of a probe.

    Attributes:
        step: Name of the step.
        group: What it was for.
        problems: Different prompts.
        rows: Rows that it read or made.
        seconds: Of the step itself.
        took: With everything around it.
        lengths: Tokens of each completion.
        facts: Further numbers of the step.
    """

    step: str
    group: str
    problems: int
    rows: int
    seconds: float
    took: float
    lengths: tuple[int, ...] = ()
    facts: Json = field(default_factory=dict)


def fit_engine(shards: Sequence[Measured], slots: int) -> EngineParts:
    """Costs of an engine that is loaded.

    Args:
        shards: Generate steps, none of which loaded a policy.
        slots: Sequences that it decodes at once.
    """
    features = [
        [1.0, shard.problems, len(active_rows(shard.lengths, slots)), sum(shard.lengths)]
        for shard in shards
    ]
    request, prompt, step, row = least_squares(features, [shard.seconds for shard in shards])
    return EngineParts(slots, 0.0, prompt, step, row, shard=request)


def fit_score(shards: Sequence[Measured], first: Measured) -> ScoreParts:
    """Costs of checking.

    Args:
        shards: Score steps of whole completions.
        first: The very first one, in which the checkers started.
    """
    request, sample = least_squares(
        [[1.0, shard.rows] for shard in shards], [shard.seconds for shard in shards]
    )
    start = max(0.0, first.seconds - request - sample * first.rows)
    return ScoreParts(start, sample, request)


def least_squares(features: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """Non-negative costs that explain the times best, in relative error.

    Every subset of the costs is tried with the others at zero, for there are at most four.
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
