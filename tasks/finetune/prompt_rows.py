"""Prompts into tokens, for a policy that draws samples while it is trained.

A prompt that leaves no room for a sample is dropped and counted, never cut. Prompts are streamed
from Parquet to an Arrow file, which is memory-mapped.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.decoding.trained_ids import TrainedIds
from tasks.errors import UserError
from tasks.finetune.packing import ROWS_AT_ONCE, Pack, Packed
from tasks.settings import FinetuneSettings

# TRL's RLOOTrainer asks for the column `prompt`.
_SCHEMA = pa.schema(
    [("problem", pa.string()), ("prompt", pa.string()), ("prompt_ids", pa.list_(pa.int32()))]
)


def pack_for(max_tokens: int) -> Pack:
    """What packs prompts of rows.PROMPT.

    Args:
        max_tokens: Longest sample.

    Returns:
        A `packing.Pack`, which uses `max_length` of the settings. A prompt is a row and a sequence;
        tokens are those of prompts, and there are no targets.
    """

    def pack(
        rows: Path, ids: TrainedIds, settings: FinetuneSettings, folder: Path, out: Path, seed: int
    ) -> Packed:
        most = settings.max_length - max_tokens
        kept = dropped = tokens = 0
        with (
            out.open("wb") as sink,
            pa.ipc.new_stream(sink, _SCHEMA) as writer,
            pq.ParquetFile(rows) as file,
        ):
            for batch in file.iter_batches(ROWS_AT_ONCE):
                asked = batch.to_pylist()
                made = ids.prompts([row["prompt"] for row in asked])
                fitting = [
                    {"problem": row["problem_id"], "prompt": row["prompt"], "prompt_ids": one}
                    for row, one in zip(asked, made, strict=True)
                    if len(one) <= most
                ]
                kept += len(fitting)
                dropped += len(asked) - len(fitting)
                tokens += sum(len(row["prompt_ids"]) for row in fitting)
                writer.write_batch(pa.RecordBatch.from_pylist(fitting, schema=_SCHEMA))
        if not kept:
            why = (
                f"all {dropped} prompts are longer than the {most} tokens that sampling.max_tokens "
                f"= {max_tokens} leaves of {settings.max_length}"
                if dropped
                else "there is no training problem that does not overlap the test set"
            )
            raise UserError(f"finetune.max_length: {why}; expected at least one that fits")
        return Packed(kept, dropped, sequences=kept, tokens=tokens, targets=0, weighted=False)

    return pack
