"""Training rows into packed token sequences, with memory that does not grow with the rows.

A row becomes its prompt's tokens and its completion's with their end, those that were sampled
(tasks/decoding/trained_ids.py). Rows longer than `max_length` are dropped and counted, never
cut: a cut solution would teach the model to stop in the middle.

Tokens are streamed from Parquet to a file; packing itself (best fit, longest first, over all rows
at once) needs only their lengths; the sequences are then written as Arrow, which is memory-mapped.
TRL's `pack_dataset` works on windows of a thousand rows and knows no row weights.
"""

from __future__ import annotations

import bisect
import json
import os
import shutil
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.decoding.trained_ids import TrainedIds
from tasks.durable import sync_tree, write_durably
from tasks.errors import UserError
from tasks.rows import FINISH, REJECTED_IDS, TOKEN_IDS
from tasks.settings import FinetuneSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Rows tokenised at once. A fast tokenizer holds about 150 bytes for each token of a batch.
ROWS_AT_ONCE = 1000
# Tokens in one Arrow record batch.
CHUNK_TOKENS = 1_000_000
# The tokens that a text of a row was sampled with, where they are known.
_SAMPLED = {"completion": TOKEN_IDS, "rejected": REJECTED_IDS}
SEQUENCES, _MARKER = "sequences.arrow", "packed.json"


@dataclass(frozen=True)
class Packed:
    """What came of the rows.

    Attributes:
        dropped_long: Rows longer than max_length.
        tokens: Tokens of an epoch, prompts included.
        targets: Those with a loss.
        weighted: Whether any kept row has a weight other than 1.
    """

    rows: int
    dropped_long: int
    sequences: int
    tokens: int
    targets: int
    weighted: bool


# Row file, how it becomes tokens, settings, folder for drafts, file of the sequences, seed.
Pack = Callable[[Path, TrainedIds, FinetuneSettings, Path, Path, int], Packed]


def prepare(
    rows: Path,
    tokenizer: PreTrainedTokenizerBase,
    settings: FinetuneSettings,
    work: Path,
    *,
    seed: int = 0,
    pack: Pack | None = None,
    chat: bool = False,
    ends: Sequence[int] = (),
) -> tuple[datasets.Dataset, Packed]:
    """Tokenise and pack training rows, or take what an earlier call left in `work`.

    Args:
        rows: Parquet file of training rows.
        settings: `max_length` and `packing` are used.
        work: Folder that outlives a kill; the result lies in its subfolder `packed`. The caller
            sees to it that one folder serves one set of rows, tokenizer, settings and seed.
        seed: Which of equally long rows are packed together.
        pack: Packs in another way, with other columns.
        chat: Prompts are rendered chats, and completions end with the assistant's turn.
        ends: Tokens that end the policy's completions, beside the tokenizer's own.

    Returns:
        Memory-mapped sequences with the columns input_ids, lengths (of its rows, in order),
        prompts (tokens of each row that carry no loss) and weights (one a row); and the counts.

    Raises:
        UserError: there is nothing to train on, or the tokenizer has no end-of-text token.
    """
    folder = work / "packed"
    sequences, marker = folder / SEQUENCES, folder / _MARKER
    if not marker.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        ids = TrainedIds(tokenizer, chat=chat, ends=ends)
        packed = (pack or _pack)(rows, ids, settings, folder, sequences, seed)
        sync_tree(folder)
        write_durably(marker, json.dumps(asdict(packed)))
    return load(work)


def load(work: Path) -> tuple[datasets.Dataset, Packed]:
    """What `prepare` made in `work`."""
    folder = work / "packed"
    packed = Packed(**json.loads((folder / _MARKER).read_text(encoding="utf-8")))
    return datasets.Dataset.from_file(str(folder / SEQUENCES)), packed


def best_fit(lengths: np.ndarray, capacity: int, order: np.ndarray) -> np.ndarray:
    """Assign rows to sequences: each row to the fullest one that has room for it.

    Args:
        lengths: Tokens of each row, [rows], each at most `capacity`.
        capacity: Tokens of a sequence.
        order: In which order rows are placed, [rows]; longest first packs tightest.

    Returns:
        The sequence of each row, [rows].
    """
    placed = np.empty(len(lengths), np.int64)
    shortest = int(lengths.min(initial=capacity))
    spaces: list[int] = []  # sorted; every space that some open sequence has
    open_with: dict[int, list[int]] = {}
    count = 0
    for row, length in zip(order.tolist(), lengths[order].tolist(), strict=True):
        at = bisect.bisect_left(spaces, length)
        if at == len(spaces):
            space, sequence = capacity, count
            count += 1
        else:
            space = spaces[at]
            sequence = open_with[space].pop()
            if not open_with[space]:
                del spaces[at], open_with[space]
        placed[row] = sequence
        left = space - length
        if left >= shortest:
            if left not in open_with:
                open_with[left] = []
                bisect.insort(spaces, left)
            open_with[left].append(sequence)
    return placed


def _pack(
    rows: Path, ids: TrainedIds, settings: FinetuneSettings, folder: Path, out: Path, seed: int
) -> Packed:
    tokens = folder / "tokens.bin"
    lengths, prompts, weights, dropped = _tokenise(rows, ids, settings.max_length, tokens)
    if not len(lengths):
        if dropped:
            raise UserError(
                f"finetune.max_length: all {dropped} training rows are longer than "
                f"{settings.max_length} tokens; expected at least one that fits"
            )
        raise UserError(
            "finetune: no sample was accepted, so there is nothing to train on; expected at least "
            "one training row"
        )
    if settings.packing:
        shuffled = np.random.default_rng(seed).permutation(len(lengths))
        order = shuffled[np.argsort(-lengths[shuffled], kind="stable")]
        placed = best_fit(lengths, settings.max_length, order)
    else:
        placed = np.arange(len(lengths))
    _write(tokens, out, lengths, prompts, weights, placed)
    tokens.unlink()
    # The first token of a row has nothing before it to be predicted from.
    targets = int((lengths - np.maximum(prompts, 1)).sum())
    return Packed(
        rows=len(lengths),
        dropped_long=dropped,
        sequences=int(placed.max()) + 1,
        tokens=int(lengths.sum()),
        targets=targets,
        weighted=bool((weights != 1.0).any()),
    )


def _tokenise(
    rows: Path, ids: TrainedIds, max_length: int, out: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Write the tokens of all rows that fit, one after another, as int32.

    Returns:
        For each row its length, the length of its prompt, its weight; and how many were dropped.
    """
    lengths, prompts, weights, dropped = array("q"), array("q"), array("f"), 0
    with out.open("wb") as file:
        for batch in token_batches(rows, ids, ["completion"], ["weight"]):
            columns = (batch.prompts, batch.texts["completion"], batch.others["weight"])
            for prompt, completion, weight in zip(*columns, strict=True):
                length = len(prompt) + len(completion)
                if length > max_length:
                    dropped += 1
                    continue
                file.write(array("i", chain(prompt, completion)).tobytes())
                lengths.append(length)
                prompts.append(len(prompt))
                weights.append(weight)
    return np.asarray(lengths), np.asarray(prompts), np.asarray(weights), dropped


@dataclass(frozen=True)
class TokenBatch:
    """Some training rows, column by column.

    Attributes:
        prompts: Tokens of prompts.
        texts: Tokens of other texts with their ends, by column.
        others: Further columns as they are.
    """

    prompts: list[list[int]]
    texts: dict[str, list[list[int]]]
    others: dict[str, list[Any]]


def token_batches(
    rows: Path, ids: TrainedIds, texts: Sequence[str], others: Sequence[str] = ()
) -> Iterator[TokenBatch]:
    """Yield training rows in batches.

    Args:
        rows: Parquet file.
        ids: How texts become tokens.
        texts: Columns with texts that follow the prompt.
        others: Columns to give as they are.
    """
    with pq.ParquetFile(rows) as file:
        known = {*file.schema_arrow.names}
        there = [name for name in (FINISH, *(_SAMPLED[text] for text in texts)) if name in known]
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["prompt", *texts, *others, *there]):
            columns = batch.to_pydict()
            # Samples of one problem share its prompt, which is the longer part of a row.
            unique = list(dict.fromkeys(columns["prompt"]))
            begins = dict(zip(unique, ids.prompts(unique), strict=True))
            prompts = [begins[prompt] for prompt in columns["prompt"]]
            unknown: list[None] = [None] * len(prompts)
            made: dict[str, list[list[int]]] = {}
            for text in texts:
                # Wrong sides of pairs are finished; so is what does not say how it ended.
                how = columns.get(FINISH, unknown) if text == "completion" else unknown
                finished = [end != "length" for end in how]
                sampled = columns.get(_SAMPLED[text], unknown)
                made[text] = ids.completions(
                    columns["prompt"], prompts, columns[text], sampled, finished
                )
            yield TokenBatch(prompts, made, {name: columns[name] for name in others})


def _write(
    tokens: Path,
    out: Path,
    lengths: np.ndarray,
    prompts: np.ndarray,
    weights: np.ndarray,
    placed: np.ndarray,
) -> None:
    """Gather the rows of each sequence and write the sequences in record batches."""
    rows = np.argsort(placed, kind="stable")
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])[rows]
    lengths, prompts, weights = lengths[rows], prompts[rows], weights[rows]
    # Row numbers at which a sequence begins, and the token number after each row.
    begins = np.flatnonzero(np.diff(placed[rows], prepend=-1))
    begins = np.append(begins, len(rows))
    ends = np.concatenate([[0], np.cumsum(lengths)])
    schema = pa.schema(
        [
            ("input_ids", pa.list_(pa.int32())),
            ("lengths", pa.list_(pa.int32())),
            ("prompts", pa.list_(pa.int32())),
            ("weights", pa.list_(pa.float32())),
        ]
    )
    # Read row by row and not through a memory map, whose pages would count as our memory.
    source = os.open(tokens, os.O_RDONLY)
    try:
        with out.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            first = 0
            while first < len(begins) - 1:
                limit = ends[begins[first]] + CHUNK_TOKENS
                last = int(np.searchsorted(ends[begins], limit, "right")) - 1
                last = min(max(last, first + 1), len(begins) - 1)
                low, high = int(begins[first]), int(begins[last])
                data = b"".join(
                    os.pread(source, 4 * n, 4 * at)
                    for n, at in zip(
                        lengths[low:high].tolist(), starts[low:high].tolist(), strict=True
                    )
                )
                in_rows = pa.array(begins[first : last + 1] - low, pa.int32())
                in_tokens = pa.array(ends[begins[first : last + 1]] - ends[low], pa.int32())
                ids = pa.array(np.frombuffer(data, np.int32))
                columns = [pa.ListArray.from_arrays(in_tokens, ids)]
                for values, kind in (
                    (lengths, pa.int32()),
                    (prompts, pa.int32()),
                    (weights, pa.float32()),
                ):
                    flat = pa.array(values[low:high], kind)
                    columns.append(pa.ListArray.from_arrays(in_rows, flat))
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
                first = last
    finally:
        os.close(source)
