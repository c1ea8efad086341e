"""Rule 6 of select.py: how many samples of a problem are kept, and which are drawn."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import pyarrow.parquet as pq

from tasks.select.drawn import Shard
from tasks.settings import FilterSettings


def cap_of(settings: FilterSettings, share: float) -> int:
    """Most samples kept of a problem; 0: no limit.

    Args:
        settings: The rules.
        share: Of the problem's samples that is accepted.
    """
    if settings.select == "human":
        return 1
    if settings.cap_by == "difficulty":
        # Rounded first, so that 10 x (1 - 0.7) is 3 and not 4.
        return max(1, math.ceil(round(settings.cap * (1.0 - share), 9)))
    return settings.cap


def turns_of(block: Sequence[Shard]) -> list[int]:
    """Of each shard how many before it have its first sample: by which policy of a pool it is."""
    firsts: list[tuple[str, int]] = []
    for samples, _, _ in block:
        with pq.ParquetFile(samples) as file:
            row = next(file.iter_batches(1, columns=["problem_id", "index"]))
        firsts.append((row.column(0)[0].as_py(), row.column(1)[0].as_py()))
    return [firsts[:place].count(first) for place, first in enumerate(firsts)]


def rank(seed: int, problem_id: str, index: int, turn: int = 0) -> bytes:
    """A sample's place in the draw.

    Args:
        seed: Of the draw.
        problem_id: Of the problem.
        index: Of the sample.
        turn: Which of several samples with this index it is, where policies pool theirs.
    """
    which = f"{index}\x1f{turn}" if turn else f"{index}"
    return hashlib.sha256(f"cap\x1f{seed}\x1f{problem_id}\x1f{which}".encode()).digest()
