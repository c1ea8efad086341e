"""From samples and verdicts to preference pairs: a correct and a wrong sample of one problem.

Pairs are what DPO (Rafailov et al., arXiv 2305.18290, section 4) trains on. The chosen side is what
`select` keeps, by the same rules (reward, finished, dedup, cap, decontamination). The rejected side
are the problem's samples that are

1. judged wrong by what they say: a verdict that a checker, the sandbox or the engine failed to
   give, or that a person has yet to give, says nothing of a sample (`WRONG`);
2. finished: a row ends with the end-of-text token, and a sample cut at the limit had none;
3. of texts equal up to white space the one with the lowest index, where `dedup` says so.

Both sides are ranked by the seeded draw of the cap, and the chosen one of rank r goes with the
rejected one of rank r modulo their number. So a problem gives at most `cap` pairs, no wrong sample
stands in many more pairs than another, the pairs of a cap of 4 are among those of a cap of 10, and
a problem without both sides gives none.

The wrong samples are found in a pass of its own, one block of problems at a time, as in `select`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from tasks.rows import REJECTED_IDS, Row, Status
from tasks.select.cap import rank
from tasks.select.drawn import Shard, fetch
from tasks.select.results import SelectionCounts
from tasks.select.select import (
    batches,
    blocks,
    select,
    trained,
)
from tasks.select.selectors import Candidate, Choose
from tasks.settings import FilterSettings
from tasks.solutions import plain_digest

# What makes a sample a wrong one.
WRONG = (
    Status.WRONG_ANSWER,
    Status.NO_ANSWER,
    Status.RUNTIME_ERROR,
    Status.TIME_LIMIT,
    Status.MEMORY_LIMIT,
    Status.OUTPUT_LIMIT,
    Status.COMPILE_ERROR,
)


class Wrong(NamedTuple):
    """A wrong sample: of a pair, the other side."""

    text: str
    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  (hides tuple.index)
    samples: str
    ids: Sequence[int] | None


def pairs(
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    *,
    adaptive: bool = False,
    choose: Choose | None = None,
) -> tuple[Iterator[Row], SelectionCounts]:
    """Make the pairs; they come by problem in the order of `select`, by index of the chosen one.

    Arguments and errors are those of `select`; so are the counts, with `pairs` besides. The rows
    are those of rows.PAIR.
    """
    chosen, counts = select(
        shards, problems, settings, seed, prompt_of, adaptive=adaptive, choose=choose
    )
    counts.pairs = 0
    return _paired(chosen, shards, settings, seed, counts), counts


def _paired(
    chosen: Iterable[Row],
    shards: Sequence[Shard],
    settings: FilterSettings,
    seed: int,
    counts: SelectionCounts,
) -> Iterator[Row]:
    ahead = (wrong_samples(block, settings, seed) for block in blocks(shards))
    wrong: dict[str, list[Wrong]] = {}
    for problem_id, rows in groupby(chosen, key=lambda row: row["problem_id"]):
        while problem_id not in wrong:  # blocks come in the order in which `select` takes them
            wrong = next(ahead)
        ranked = sorted(rows, key=lambda row: rank(seed, row["problem_id"], row["index"]))
        rejected = _trained(wrong[problem_id], ranked[0]["prompt"], settings)
        if not rejected:
            continue
        made = [pair_row(row, rejected[place % len(rejected)]) for place, row in enumerate(ranked)]
        counts.pairs = (counts.pairs or 0) + len(made)
        yield from sorted(made, key=lambda row: row["index"])


def _trained(wrong: list[Wrong], prompt: str, settings: FilterSettings) -> list[Wrong]:
    """The wrong samples as they are trained on; of those that are thoughts alone nothing is."""
    if settings.thinking == "keep":
        return wrong
    found = (one._replace(text=trained(one.text, prompt, settings)) for one in wrong)
    return [one for one in found if one.text]


def pair_row(row: Row, rejected: Wrong) -> Row:
    """A row of rows.PAIR: what is chosen, over the other side."""
    return {
        **row,
        "rejected": rejected.text,
        REJECTED_IDS: rejected.ids,
        "rejected_index": rejected.index,
        "rejected_samples": rejected.samples,
    }


def wrong_samples(
    block: list[Shard], settings: FilterSettings, seed: int
) -> dict[str, list[Wrong]]:
    """For every problem of a block its wrong samples by rank, as many as pairs may need."""
    found: dict[str, list[Candidate]] = {}
    for number, shard in enumerate(block):
        _gather(shard, number, settings, found)
    drawn: dict[str, list[Candidate]] = {}
    for problem_id, wrong in found.items():
        unique = sorted(wrong)
        if settings.dedup != "none":
            unique = list({one.digest: one for one in reversed(unique)}.values())
        unique.sort(key=lambda one: rank(seed, problem_id, one.index))
        drawn[problem_id] = unique[: settings.cap or None]
    said = fetch(block, drawn.values())
    return {
        problem_id: [
            Wrong(sample.text, one.index, block[one.shard][2], sample.ids)
            for one in wrong
            for sample in (said[one.shard, one.row],)
        ]
        for problem_id, wrong in drawn.items()
    }


def _gather(
    shard: Shard, number: int, settings: FilterSettings, found: dict[str, list[Candidate]]
) -> None:
    """Rules 1 and 2 on one shard; a problem without a wrong sample is noted too."""
    start = 0
    for sample, verdict in batches(shard, ("reward", "status")):
        names = sample.column("problem_id").to_pylist()
        for name in names:
            found.setdefault(name, [])
        # A partly right program may count as accepted, and then it is not a wrong one.
        below = np.asarray(verdict.column("reward")) < np.float32(settings.min_reward)
        looked = np.asarray(sample.column("index")) < (settings.first or np.inf)
        judged = np.isin(np.array(verdict.column("status").to_pylist()), WRONG)
        finished = np.array(sample.column("finish").to_pylist()) == "stop"
        texts, indices = sample.column("text"), sample.column("index")
        for row in np.flatnonzero(below & looked & judged & finished).tolist():
            text, index = texts[row].as_py(), indices[row].as_py()
            one = Candidate(index, plain_digest(text), 0.0, number, start + row, len(text))
            found[names[row]].append(one)
        start += len(names)
