"""The columns of exported data, of which schema and card are made."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from flows.api.export.source import Data
from tasks.rows import Schema


@dataclass(frozen=True)
class Column:
    """A column; `kind` is an Arrow type without types."""

    name: str
    kind: Schema
    meaning: str


_ITERATION = Column("iteration", pa.int32(), "Iteration of the run, from 1")
_STEP = Column("improve_step", pa.int32(), "Improve step of the iteration, from 1")
_PROMPT = Column("prompt", pa.string(), "The prompt, exemplars included")
_PROBLEM = (
    Column("problem_id", pa.string(), "The problem"),
    Column("question", pa.string(), "Its text"),
    Column("reference", pa.string(), "Its gold answer; for programs the tests, as JSON"),
)

COLUMNS: dict[Data, tuple[Column, ...]] = {
    "rows": (
        _ITERATION,
        _STEP,
        _PROMPT,
        Column("completion", pa.string(), "The solution that is trained on"),
        Column("weight", pa.float32(), "Weight of the row in the loss"),
        *_PROBLEM,
        Column("index", pa.int32(), "Number of the sample; -1: the data set's own solution"),
        Column("samples", pa.string(), "Key of the artifact that holds the sample"),
    ),
    "pairs": (
        _ITERATION,
        _STEP,
        _PROMPT,
        Column("chosen", pa.string(), "A correct solution"),
        Column("rejected", pa.string(), "A wrong solution of the same problem"),
        *_PROBLEM,
        Column("index", pa.int32(), "Number of the chosen sample"),
        Column("rejected_index", pa.int32(), "Number of the rejected sample"),
        Column("samples", pa.string(), "Key of the artifact that holds the chosen sample"),
        Column("rejected_samples", pa.string(), "Key of the one with the rejected sample"),
    ),
    "samples": (
        _ITERATION,
        _PROMPT,
        Column("completion", pa.string(), "What the policy answered, right or wrong"),
        Column("reward", pa.float32(), "Reward in [0, 1]"),
        Column("status", pa.string(), "The verdict: correct, wrong_answer, time_limit …"),
        Column("extracted", pa.string(), "The answer that was found in the completion"),
        Column("first_failure", pa.int32(), "First failing test of a program; -1: none"),
        *_PROBLEM,
        Column("domain", pa.string(), "math, code, text or hand: how it is checked"),
        Column("level", pa.string(), "Difficulty, where the data set has one"),
        Column("subject", pa.string(), "Subject, where the data set has one"),
        Column("index", pa.int32(), "Number of the sample, from 0 for each problem"),
        Column("seed", pa.int64(), "Seed of the sample"),
        Column("tokens", pa.int32(), "Generated tokens, the stop token included"),
        Column("finish", pa.string(), "stop, length (cut at the limit) or error (no sample)"),
        Column("policy", pa.string(), "Digest of the policy that was sampled"),
        Column("prompt_digest", pa.string(), "SHA-256 of the prompt that it was asked with"),
    ),
}


def schema_of(data: Data) -> Schema:
    """The Arrow schema of exported data."""
    return pa.schema([(column.name, column.kind) for column in COLUMNS[data]])
