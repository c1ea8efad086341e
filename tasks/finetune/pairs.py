"""Preference pairs into tokens: a prompt, its chosen and its rejected completion.

Tokens are those of sampling (tasks/decoding/trained_ids.py), the end of each completion among them.
A pair of which either side is longer than `max_length` is dropped and counted, never cut. Pairs are
streamed from Parquet to an Arrow file, which is memory-mapped.

Does not pack: TRL's DPOTrainer pads.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tasks.decoding.trained_ids import TrainedIds
from tasks.errors import UserError
from tasks.finetune.packing import Packed, token_batches
from tasks.settings import FinetuneSettings
from tasks.settings.finetune import PREFERENCES

_SCHEMA = pa.schema(
    [(name, pa.list_(pa.int32())) for name in ("prompt_ids", "chosen_ids", "rejected_ids")]
)
_SOFT_SCHEMA = pa.schema([*_SCHEMA, ("p", pa.float64())])
_NONE = {
    "verdicts": "no problem has a correct and a wrong sample",
    "preferences": "no pair has a label",
    "extremes": "no problem has two samples of different rewards",
}


def pack(
    rows: Path, ids: TrainedIds, settings: FinetuneSettings, folder: Path, out: Path, seed: int
) -> Packed:
    """Write the pairs that fit to `out`, with columns prompt_ids, chosen_ids and rejected_ids.

    A `packing.Pack`, of rows of rows.PAIR, or of rows.SOFT_PAIR, whose p is a column too;
    `max_length` and `pairs` of the settings are used.

    Returns:
        The counts. A pair is a row and a sequence; its tokens are those of both sides, the prompt
        twice as it passes through the model, its targets those of both completions.

    Raises:
        UserError: there is nothing to train on.
    """
    kept = dropped = tokens = targets = 0
    soft = settings.pairs == PREFERENCES
    schema = _SOFT_SCHEMA if soft else _SCHEMA
    with out.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in token_batches(rows, ids, ["completion", "rejected"], ["p"] if soft else []):
            fitting = []
            sides = (batch.texts["completion"], batch.texts["rejected"])
            labels = batch.others["p"] if soft else [None] * len(batch.prompts)
            for prompt, chosen, rejected, p in zip(batch.prompts, *sides, labels, strict=True):
                if len(prompt) + max(len(chosen), len(rejected)) > settings.max_length:
                    dropped += 1
                    continue
                row = (prompt, chosen, rejected, p)
                fitting.append(dict(zip(schema.names, row, strict=False)))
                tokens += 2 * len(prompt) + len(chosen) + len(rejected)
                targets += len(chosen) + len(rejected)
            kept += len(fitting)
            writer.write_batch(pa.RecordBatch.from_pylist(fitting, schema=schema))
    if not kept:
        if dropped:
            raise UserError(
                f"finetune.max_length: all {dropped} pairs have a side longer than "
                f"{settings.max_length} tokens; expected at least one that fits"
            )
        raise UserError(
            f"finetune: {_NONE[settings.pairs]}, so there is nothing to train on; expected at "
            "least one pair"
        )
    return Packed(kept, dropped, sequences=kept, tokens=tokens, targets=targets, weighted=False)
