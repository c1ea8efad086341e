"""What became of each sample in a selection: its rules applied again, and the rows that it left.

A selection keeps rows and counts, and not which rule dropped a sample. The first three rules and
the band of pass rates need no more than samples and verdicts; what they leave and no row is made of
was dropped by another rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.parquet as pq

from tasks.rows import Row
from tasks.select.drawn import Shard
from tasks.select.results import (
    DUPLICATE,
    KEPT,
    OUTSIDE_BAND,
    OVER_CAP,
    UNFINISHED,
    LevelCount,
    SelectionCounts,
)
from tasks.select.select import blocks, first_of_each_text, gather
from tasks.select.selectors import Candidate
from tasks.settings import FilterSettings


def with_fate(
    fate: str,
    shards: Sequence[Shard],
    rows: set[tuple[str, str, int]],
    problems: Sequence[Row],
    settings: FilterSettings,
) -> dict[str, np.ndarray]:
    """By key of its samples which of a shard's samples have a fate, true or false.

    Args:
        fate: One of FATES; `over_cap` are all that no other rule named there dropped.
        shards: Of the selection.
        rows: Of each training row the key of its samples, its problem and its index.
        problems: Problem rows.
        settings: The rules, which train on samples as they are (`thinking` is `keep`).
    """
    position = {problem["id"]: at for at, problem in enumerate(problems)}
    found = {key: np.zeros(pq.read_metadata(path).num_rows, dtype=bool) for path, _, key in shards}
    whatever_end = settings.model_copy(update={"finished_only": False})
    for block in blocks(shards):
        candidates, tried = _gathered(block, problems, position, settings)
        if fate == UNFINISHED:
            accepted, _ = _gathered(block, problems, position, whatever_end)
            for problem_id, ended in accepted.items():
                finished = set(candidates[problem_id])
                for one in ended:
                    found[block[one.shard][2]][one.row] = one not in finished
            continue
        for problem_id, passed in candidates.items():
            first = {(one.shard, one.row) for one in first_of_each_text(passed, settings)}
            share = tried[problem_id].share
            inside = settings.min_pass_rate <= share <= settings.max_pass_rate
            for one in passed:
                key = block[one.shard][2]
                is_row = (key, problem_id, one.index) in rows
                became = KEPT if is_row else OVER_CAP if inside else OUTSIDE_BAND
                if (one.shard, one.row) not in first:
                    became = DUPLICATE
                found[key][one.row] = became == fate
    return found


def _gathered(
    block: Sequence[Shard],
    problems: Sequence[Row],
    position: Mapping[str, int],
    settings: FilterSettings,
) -> tuple[dict[str, list[Candidate]], dict[str, LevelCount]]:
    """By problem what rules 1 and 2 leave, and how many of its samples are accepted."""
    candidates: dict[str, list[Candidate]] = {}
    tried: dict[str, LevelCount] = {}
    for number, shard in enumerate(block):
        gather(
            shard,
            number,
            problems,
            position,
            settings,
            lambda _: "",  # only where thoughts are dropped a prompt is asked for
            SelectionCounts(),
            candidates,
            tried,
        )
    return candidates, tried
