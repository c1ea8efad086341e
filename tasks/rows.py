"""The rows that flow between steps, as Parquet schemas, and how they are read and written.

Every sample and verdict is kept, the wrong ones too: other selectors need them and the report
explains with them. Readers and writers stream row groups, so memory does not grow with a file.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Files of artifacts.
PROBLEMS_FILE = "problems.parquet"
SAMPLES_FILE = "samples.parquet"
VERDICTS_FILE = "verdicts.parquet"
TIMINGS_FILE = "timing.parquet"
REWARDS_FILE = "rewards.parquet"
GROUPS_FILE = "groups.parquet"
ROLLOUTS_FILE = "rollouts.parquet"
SCORES_FILE = "scores.parquet"
ROWS_FILE = "rows.parquet"
PREFERENCES_FILE = "preferences.parquet"
HELD_OUT_FILE = "held_out.parquet"

# Columns of tokens as they were sampled: of a sample, or of the one that a training row is made of;
# of the wrong side of a pair. Where they are not known they are null, or the column is missing.
TOKEN_IDS = "token_ids"
REJECTED_IDS = "rejected_token_ids"
# Whether a row is of a right sample, where rows of wrong ones are trained on too.
LABEL = "label"
# How a sample ended; beside the ids of a training row too.
FINISH = "finish"

# Big enough that a row group compresses well, small enough that a batch of long solutions
# (about 2 kB each) stays near 10 MB.
ROW_GROUP = 4096

# pa.Schema, of a library without types.
Schema = Any
# What is JSON and has no form of its own: settings that are hashed, messages over a pipe.
Json = dict[str, Any]
Row = Json


class Status(enum.StrEnum):
    """Why a sample got its reward."""

    CORRECT = "correct"
    WRONG_ANSWER = "wrong_answer"
    NO_ANSWER = "no_answer"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"
    CHECKER_ERROR = "checker_error"
    SANDBOX_ERROR = "sandbox_error"
    ENGINE_ERROR = "engine_error"  # no sample: the prompt does not fit or ends the engine
    RATED = "rated"  # not by the checker: the reward is a number in [0, 1]
    UNGRADED = "ungraded"  # left to a person: reward 0 here, and in no metric


PROBLEM: Schema = pa.schema(
    [
        ("id", pa.string()),
        ("domain", pa.string()),  # math, code, text or hand: how samples are graded
        ("question", pa.string()),
        ("reference", pa.string()),  # gold answer (math, text), tests as JSON (code), points (hand)
        ("solution", pa.string()),  # a human solution where the data set has one, else ""
        ("level", pa.string()),
        ("subject", pa.string()),
        ("split", pa.string()),  # train, validation or test
    ]
)

SAMPLE: Schema = pa.schema(
    [
        ("problem_id", pa.string()),
        ("index", pa.int32()),  # 0 <= index < samples for each problem
        ("seed", pa.int64()),
        ("text", pa.string()),
        ("tokens", pa.int32()),  # generated tokens, the stop token included
        ("finish", pa.string()),  # "stop", "length", "refused", or "error": none was given
        ("model", pa.string()),  # digest of the policy
        ("prompt", pa.string()),  # digest of the prompt text
    ]
)

# Samples that others made, before they are given to problems.
ROLLOUT: Schema = pa.schema(
    [
        ("id", pa.string()),  # of the problem, "" where they do not say it
        ("key", pa.string()),  # names the question, see question_key
        ("question", pa.string()),
        ("reference", pa.string()),  # "" where they do not say it
        ("text", pa.string()),
        ("finish", pa.string()),  # "stop" or "length"
        ("score", pa.float64()),  # null where they do not say it
        ("kept", pa.bool_()),  # whether the score is the reward; else our checker grades
    ]
)

# Rewards that came with imported samples, row for row.
GIVEN: Schema = pa.schema([("score", pa.float64())])

# A sample of a chat model.
CHAT_SAMPLE: Schema = pa.schema(
    [
        *SAMPLE,
        ("answer", pa.int32()),  # where the answer begins in the text; -1: thoughts without an end
    ]
)

VERDICT: Schema = pa.schema(
    [
        ("problem_id", pa.string()),
        ("index", pa.int32()),
        ("reward", pa.float32()),  # in [0, 1]
        ("status", pa.string()),
        ("extracted", pa.string()),
        ("first_failure", pa.int32()),  # first failing test, -1 where there is none
    ]
)

# Wall time differs from run to run, so it lies beside the verdicts and outside their digest.
TIMING: Schema = pa.schema([("seconds", pa.float32())])

# What each of several rewards gave a sample, in the order of `filter.rewards`; null: it failed.
REWARDS: Schema = pa.schema(
    [
        ("problem_id", pa.string()),
        ("index", pa.int32()),
        ("values", pa.list_(pa.float32())),
    ]
)

# Which samples of a problem vote together.
GROUP: Schema = pa.schema(
    [
        ("problem_id", pa.string()),
        ("index", pa.int32()),
        ("group", pa.int32()),  # index of the problem's first sample with an equal answer, or -1
    ]
)

# Which of two samples of a problem is preferred.
PREFERENCE: Schema = pa.schema(
    [
        ("problem_id", pa.string()),
        ("first", pa.int32()),  # index of a sample
        ("second", pa.int32()),  # index of another, first < second
        ("p", pa.float64()),  # probability that `first` is the better one; null: none was given
        ("p_first", pa.float64()),  # the same where `first` was shown first
        ("p_second", pa.float64()),  # and where it was shown second; null: not asked
        ("reason_first", pa.string()),  # what the judge wrote before, in both orders
        ("reason_second", pa.string()),
        ("status", pa.string()),  # "judged" or "judge_error"
    ]
)

# Pairs that a reward model was not fit on, and its rewards for them.
HELD_OUT: Schema = pa.schema(
    [
        ("problem_id", pa.string()),
        ("first", pa.int32()),
        ("second", pa.int32()),
        ("p", pa.float64()),  # the label
        ("first_reward", pa.float32()),
        ("second_reward", pa.float32()),
        ("first_tokens", pa.int32()),  # of prompt and sample
        ("second_tokens", pa.int32()),
        ("watched", pa.bool_()),  # whether the weights that were kept are chosen by this pair
    ]
)

TRAINING: Schema = pa.schema(
    [
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("weight", pa.float32()),
        ("problem_id", pa.string()),
        ("index", pa.int32()),
        ("samples", pa.string()),  # key of the samples artifact that holds the sample
    ]
)

LABELLED: Schema = pa.schema([*TRAINING, (LABEL, pa.bool_())])

# A correct sample (`completion`) and a wrong one of the same problem.
PAIR: Schema = pa.schema(
    [
        *TRAINING,
        ("rejected", pa.string()),
        ("rejected_index", pa.int32()),
        ("rejected_samples", pa.string()),  # key of the samples artifact that holds the wrong one
    ]
)

# A preferred sample (`completion`) and another one of the same problem.
SOFT_PAIR: Schema = pa.schema(
    [
        *PAIR,
        ("p", pa.float64()),  # probability that the preferred one is better, at least 1/2
    ]
)

# What a policy is asked where it draws samples while it is trained.
PROMPT: Schema = pa.schema([("problem_id", pa.string()), ("prompt", pa.string())])


def with_ids(schema: Schema, *names: str) -> Schema:
    """A schema with columns of token ids behind it."""
    return pa.schema([*schema, *((name, pa.list_(pa.int32())) for name in names)])


def write_rows(path: Path, schema: Schema, rows: Iterable[Row]) -> int:
    """Stream `rows` into one Parquet file and return how many there were."""
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def read_rows(path: Path, columns: list[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a Parquet file, one row group in memory at a time.

    Args:
        path: Of the file.
        columns: All but token ids where none are named: as Python's numbers, ids take many times
            the room of the text.
    """
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROW_GROUP, columns=columns or _columns(file)):
            yield from batch.to_pylist()


def read_rows_at(path: Path, places: Sequence[int]) -> Iterator[Row]:
    """Yield some rows of a Parquet file; only row groups that have one of them are read.

    Args:
        path: Of the file.
        places: Of the rows, from 0 and ascending.
    """
    wanted, start = np.asarray(places, dtype=np.int64), 0
    with pq.ParquetFile(path) as file:
        columns = _columns(file)
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            here = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, stop)]
            if len(here):
                yield from file.read_row_group(group, columns).take(here - start).to_pylist()
            start = stop


def answer_of(sample: Row) -> str:
    """What is graded of a sample: its text, and of a chat model's what follows its thoughts."""
    start = sample.get("answer", 0)
    return sample["text"][start:] if start >= 0 else ""


def text_digest(text: str) -> str:
    """SHA-256 of a text, in hex; the form in which prompts are named in samples."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def question_key(question: str) -> str:
    """Names a question, the same for texts that are equal up to white space."""
    return text_digest(" ".join(question.split()))


def sample_seed(seed: int, problem_id: str, index: int) -> int:
    """The seed of one sample: the same whatever the shard, the batch or the machine.

    Returns a non-negative 62-bit integer, which every engine's generator accepts.
    """
    raw = hashlib.sha256(f"{seed}\x1f{problem_id}\x1f{index}".encode()).digest()
    return int.from_bytes(raw[:8], "big") >> 2


def _columns(file: pq.ParquetFile) -> list[str]:
    """All but token ids."""
    return [name for name in file.schema_arrow.names if name not in (TOKEN_IDS, REJECTED_IDS)]


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROW_GROUP:
            yield batch
            batch = []
    if batch:
        yield batch
