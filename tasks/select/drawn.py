"""What chosen samples say: their texts, and their tokens where an engine gave them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.rows import FINISH, ROW_GROUP, TOKEN_IDS
from tasks.select.selectors import Candidate

Shard = tuple[str, str, str]  # path of the samples, path of their verdicts, key of the samples


class Drawn(NamedTuple):
    """What a sample says."""

    text: str
    finish: str
    ids: Sequence[int] | None  # its tokens, where they are known


def fetch(block: list[Shard], kept: Iterable[list[Candidate]]) -> dict[tuple[int, int], Drawn]:
    """What the chosen samples say, by shard and row."""
    wanted: dict[int, list[int]] = defaultdict(list)
    for chosen in kept:
        for one in chosen:
            wanted[one.shard].append(one.row)
    found: dict[tuple[int, int], Drawn] = {}
    for number, rows in wanted.items():
        rows.sort()
        start = 0
        with pq.ParquetFile(block[number][0]) as file:
            columns = [
                name for name in ("text", FINISH, TOKEN_IDS) if name in file.schema_arrow.names
            ]
            for batch in file.iter_batches(ROW_GROUP, columns=columns):
                here = rows[bisect_left(rows, start) : bisect_left(rows, start + len(batch))]
                picked = batch.take(pa.array([row - start for row in here], pa.int64()))
                texts, ends = picked.column(0).to_pylist(), picked.column(1).to_pylist()
                for row, text, end, ids in zip(here, texts, ends, _ids(picked), strict=True):
                    found[number, row] = Drawn(text, end, ids)
                start += len(batch)
    return found


def with_ids_of(shards: Sequence[Shard]) -> bool:
    """Whether samples of these shards have their tokens."""
    return any(TOKEN_IDS in pq.read_schema(samples).names for samples, _, _ in shards)


def _ids(batch: pa.RecordBatch) -> list[Sequence[int] | None]:
    """Tokens of samples, four bytes each."""
    if TOKEN_IDS not in batch.schema.names:
        return [None] * len(batch)
    column = batch.column(TOKEN_IDS)
    return [one.values.to_numpy().copy() if one.is_valid else None for one in column]
