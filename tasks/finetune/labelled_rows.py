"""Right and wrong samples into tokens, each with its label: what KTO trains on.

Tokens are those of sampling (tasks/decoding/trained_ids.py). A row longer than `max_length` is
dropped and counted, never cut. Does not pack: TRL's KTOTrainer pads.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tasks.decoding.trained_ids import TrainedIds
from tasks.errors import UserError
from tasks.finetune.packing import Packed, token_batches
from tasks.rows import LABEL
from tasks.settings import FinetuneSettings

_SCHEMA = pa.schema(
    [
        ("prompt_ids", pa.list_(pa.int32())),
        ("completion_ids", pa.list_(pa.int32())),
        (LABEL, pa.bool_()),
    ]
)


def pack(
    rows: Path, ids: TrainedIds, settings: FinetuneSettings, folder: Path, out: Path, seed: int
) -> Packed:
    """Write the rows that fit to `out`, with columns prompt_ids, completion_ids and label.

    A `packing.Pack`, of rows of rows.LABELLED; `max_length` of the settings is used.

    Returns:
        The counts. Tokens are those of a row, its targets those of its completion.

    Raises:
        UserError: there are no rows of one of the two kinds, or too few.
    """
    kept = {True: 0, False: 0}
    dropped = tokens = targets = 0
    with out.open("wb") as sink, pa.ipc.new_stream(sink, _SCHEMA) as writer:
        for batch in token_batches(rows, ids, ["completion"], [LABEL]):
            fitting = []
            sides = batch.texts["completion"], batch.others[LABEL]
            for prompt, completion, label in zip(batch.prompts, *sides, strict=True):
                if len(prompt) + len(completion) > settings.max_length:
                    dropped += 1
                    continue
                fitting.append({"prompt_ids": prompt, "completion_ids": completion, LABEL: label})
                kept[label] += 1
                tokens += len(prompt) + len(completion)
                targets += len(completion)
            writer.write_batch(pa.RecordBatch.from_pylist(fitting, schema=_SCHEMA))
    if not all(kept.values()):
        raise UserError(
            f"finetune.improve: kto needs right and wrong samples, and of those that fit into "
            f"finetune.max_length {kept[True]} are right and {kept[False]} wrong; expected both"
        )
    count = sum(kept.values())
    return Packed(count, dropped, sequences=count, tokens=tokens, targets=targets, weighted=False)
