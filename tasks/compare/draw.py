"""Which pairs of a problem's samples are compared: a seeded draw, the same on every machine.

Only finished samples with a text are compared, and of texts that are equal up to white space the
one with the lowest index. Pairs are ranked by a hash of seed, problem and indices, so the pairs of
a small number are among those of a larger one.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from tasks.rows import Row, answer_of


@dataclass(frozen=True)
class Pair:
    """Two samples of a problem, by index: `first` < `second`."""

    problem_id: str
    first: int
    second: int
    texts: tuple[str, str]


def draw_pairs(
    samples: Iterable[Row],
    seed: int,
    count: int,
    unlike: Mapping[tuple[str, int], float] | None = None,
) -> Iterator[Pair]:
    """Draw pairs of samples.

    Args:
        samples: Rows of one block of problems, of all its shards, in any order.
        seed: Of the draw.
        count: Most pairs of a problem; 0: all.
        unlike: Rewards by problem and index, where pairs of equal ones are not drawn.

    Yields:
        Pairs by problem, in the order of the first sample of each, then by their indices.
    """
    rows = [row for row in samples if row["finish"] == "stop"]
    place = {name: n for n, name in enumerate(dict.fromkeys(row["problem_id"] for row in rows))}
    rows.sort(key=lambda row: (place[row["problem_id"]], row["index"]))
    for problem_id, group in groupby(rows, key=lambda row: row["problem_id"]):
        texts: dict[str, tuple[int, str]] = {}
        for row in group:
            text = answer_of(row).strip()
            if text:
                texts.setdefault(" ".join(text.split()), (row["index"], text))
        pairs = [
            Pair(problem_id, i, j, (one, other))
            for (i, one), (j, other) in itertools.combinations(sorted(texts.values()), 2)
            if unlike is None or unlike[problem_id, i] != unlike[problem_id, j]
        ]
        ranked = sorted(pairs, key=lambda pair: _rank(seed, pair))
        yield from sorted(ranked[: count or None], key=lambda pair: (pair.first, pair.second))


def _rank(seed: int, pair: Pair) -> bytes:
    named = f"{seed}\x1f{pair.problem_id}\x1f{pair.first}\x1f{pair.second}"
    return hashlib.sha256(named.encode()).digest()
