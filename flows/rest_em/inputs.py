"""Sets of scored samples among the inputs of a run's report, which names all it measured.

A set is `pN KIND`: policy N and greedy, train, validation, sampled, drawn or transfer:BENCHMARK.
Its shards are `pN KIND samples M` and `pN KIND verdicts M`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.rows import Row, read_rows
from tasks.store.store import ArtifactRef, Store

_BRIEF = ["problem_id", "index", "reward", "status"]


def verdicts(store: Store, inputs: dict[str, ArtifactRef], key: str) -> Iterator[Row]:
    """Verdicts of a set, shard by shard: problem_id, index, reward, status."""
    shard = 0
    while (verdict := inputs.get(f"{key} verdicts {shard}")) is not None:
        yield from read_rows(store.path(verdict) / "verdicts.parquet", _BRIEF)
        shard += 1


def solutions(store: Store, inputs: dict[str, ArtifactRef], key: str) -> list[Row]:
    """Samples of a set merged with their verdicts."""
    rows: list[Row] = []
    shard = 0
    while (sample := inputs.get(f"{key} samples {shard}")) is not None:
        verdict = inputs[f"{key} verdicts {shard}"]
        pairs = zip(
            read_rows(store.path(sample) / "samples.parquet"),
            read_rows(store.path(verdict) / "verdicts.parquet"),
            strict=True,
        )
        rows += [{**a, **b} for a, b in pairs]
        shard += 1
    return rows
