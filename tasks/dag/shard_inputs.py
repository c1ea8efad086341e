"""Sets of scored samples among the inputs of a call, shard by shard.

A set has a name, such as `greedy` among those of `measure` or `p2 drawn` among those of a report;
its shards are the inputs `NAME samples 0`, `NAME verdicts 0`, `NAME samples 1` and so on. These
names are in cache keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tasks.rows import SAMPLES_FILE, VERDICTS_FILE, Row, read_rows, read_rows_at
from tasks.store.store import ArtifactRef, Store

_SAMPLES, _VERDICTS = "samples", "verdicts"

# What most readers want to know of a verdict.
JUDGED = ("problem_id", "index", "reward", "status")

Inputs = Mapping[str, ArtifactRef]


class ScoredShard(NamedTuple):
    """A shard of samples and the verdicts on them, row for row in the same order."""

    samples: ArtifactRef
    verdicts: ArtifactRef

    def rows(self, store: Store) -> Iterator[Row]:
        """Each sample merged with its verdict."""
        pairs = zip(
            read_rows(store.path(self.samples) / SAMPLES_FILE),
            read_rows(store.path(self.verdicts) / VERDICTS_FILE),
            strict=True,
        )
        for sample, verdict in pairs:
            yield {**sample, **verdict}

    def rows_at(self, store: Store, places: Sequence[int]) -> Iterator[Row]:
        """The same of the samples at some places, ascending."""
        pairs = zip(
            read_rows_at(store.path(self.samples) / SAMPLES_FILE, places),
            read_rows_at(store.path(self.verdicts) / VERDICTS_FILE, places),
            strict=True,
        )
        for sample, verdict in pairs:
            yield {**sample, **verdict}


def inputs_of(
    name: str, samples: Iterable[ArtifactRef], verdicts: Iterable[ArtifactRef]
) -> dict[str, ArtifactRef]:
    """The shards of a set as inputs of a call; `name` may be empty where there is one set."""
    found: dict[str, ArtifactRef] = {}
    for number, (sample, verdict) in enumerate(zip(samples, verdicts, strict=True)):
        found[_input(name, _SAMPLES, number)] = sample
        found[_input(name, _VERDICTS, number)] = verdict
    return found


def shards_of(inputs: Inputs, name: str = "") -> list[ScoredShard]:
    """The shards of a set, in order; none where there is no such set."""
    found: list[ScoredShard] = []
    while (sample := inputs.get(_input(name, _SAMPLES, len(found)))) is not None:
        found.append(ScoredShard(sample, inputs[_input(name, _VERDICTS, len(found))]))
    return found


def rows_of(store: Store, inputs: Inputs, name: str) -> Iterator[Row]:
    """Samples of a set, each merged with its verdict."""
    for shard in shards_of(inputs, name):
        yield from shard.rows(store)


def verdicts_of(
    store: Store, inputs: Inputs, name: str, columns: Sequence[str] = JUDGED
) -> Iterator[Row]:
    """Verdicts of a set, these columns of them."""
    for shard in shards_of(inputs, name):
        yield from read_rows(store.path(shard.verdicts) / VERDICTS_FILE, list(columns))


def is_sample_input(name: str) -> bool:
    """Whether an input is a set's shard of samples."""
    return f" {_SAMPLES} " in name


def is_verdict_input(name: str) -> bool:
    """Whether an input is a set's shard of verdicts."""
    return f" {_VERDICTS} " in name


def _input(name: str, kind: str, number: int) -> str:
    return f"{name} {kind} {number}" if name else f"{kind} {number}"
