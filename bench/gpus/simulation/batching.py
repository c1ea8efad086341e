"""How long an engine works on a shard: continuous batching, step by step.

A sample whose predecessor in its slot has ended starts at the next step; the batch is full until
the queue is empty, and then shrinks sample by sample. So a shard ends with a tail that its longest
samples make (the stragglers within a shard), and small shards are mostly tail.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

import numpy as np

from bench.gpus.simulation.costs import EngineParts


def active_rows(lengths: Sequence[int], slots: int) -> np.ndarray:
    """Rows of the batch at each decoding step.

    Args:
        lengths: Tokens of each completion, in the order of the queue.
        slots: Most rows at once.

    Returns:
        Integers of shape [steps]; they sum to the tokens.
    """
    if not lengths:
        return np.zeros(0, np.int64)
    ends = list(lengths[:slots])
    changes: dict[int, int] = {0: len(ends)}
    heapq.heapify(ends)
    finished = []
    for length in lengths[slots:]:
        begins = heapq.heappop(ends)
        finished.append(begins)
        changes[begins] = changes.get(begins, 0) + 1
        heapq.heappush(ends, begins + length)
    last = max(ends)
    steps = np.zeros(last + 1, np.int64)
    for step, change in changes.items():
        steps[step] += change
    np.subtract.at(steps, np.array([*finished, *ends]), 1)
    return np.cumsum(steps)[:-1]


def shard_seconds(engine: EngineParts, problems: int, lengths: Sequence[int]) -> float:
    """Seconds of one shard on an engine that does nothing else.

    Args:
        engine: What it costs.
        problems: Different prompts.
        lengths: Tokens of each completion.
    """
    rows = active_rows(lengths, engine.slots)
    steps = np.maximum(engine.step + engine.row * rows, engine.compute * rows)
    return engine.shard + problems * engine.prompt + float(steps.sum())


def steady_seconds(engine: EngineParts, problems: int, lengths: Sequence[int]) -> float:
    """Seconds of one shard where the next ones fill its places as they become free."""
    full = engine.step_seconds(engine.slots) / engine.slots
    return engine.shard + problems * engine.prompt + full * sum(lengths)


def drawn(lengths: Sequence[int], count: int, draw: random.Random) -> list[int]:
    """So many lengths, each drawn with equal chance from those observed."""
    return draw.choices(lengths, k=count)
