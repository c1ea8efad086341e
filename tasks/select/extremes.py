"""From rewards to preference pairs: a problem's highest over its lowest rated samples.

The pairs of self-rewarding models (Yuan et al., arXiv 2401.10020, section 2.4), which take the
highest and the lowest of a problem; here the r-th highest meets the r-th lowest, for `cap` pairs at
most, while its reward is the higher one. Of equal rewards the seeded draw of the cap decides. The
chosen side obeys all rules of `select`, `min_reward` among them; the rejected side are finished
samples of different texts, whatever their reward, that a checker or a judge gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from tasks.rows import Row, Status
from tasks.select.cap import rank
from tasks.select.drawn import Shard, fetch
from tasks.select.pairs import WRONG, Wrong, pair_row
from tasks.select.results import SelectionCounts
from tasks.select.select import batches, blocks, select, trained
from tasks.select.selectors import Candidate, Choose
from tasks.settings import FilterSettings
from tasks.solutions import plain_digest

# What a reward was given for; a failure of a checker, the sandbox or an engine says nothing.
_JUDGED = (Status.CORRECT, Status.RATED, *WRONG)


class _Rated(NamedTuple):
    """The other side of a pair, and its reward."""

    sample: Wrong
    reward: float


def extreme_pairs(
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    *,
    adaptive: bool = False,
    choose: Choose | None = None,
) -> tuple[Iterator[Row], SelectionCounts]:
    """Make the pairs; they come by problem in the order of `select`, the highest reward first.

    Arguments and errors are those of `select`, but for `choose`, which is not used; so are the
    counts, with `pairs` besides. The rows are those of rows.PAIR.
    """

    def highest(problem_id: str, found: list[Candidate]) -> list[Candidate]:
        best = sorted(found, key=lambda one: (-one.reward, rank(seed, problem_id, one.index)))
        return best[: settings.cap or None]

    # With their rewards as weights: what is chosen first has the highest.
    rated = settings.model_copy(update={"weight": "reward"})
    chosen, counts = select(
        shards, problems, rated, seed, prompt_of, adaptive=adaptive, choose=highest
    )
    counts.pairs = 0
    return _paired(chosen, shards, settings, seed, counts), counts


def _paired(
    chosen: Iterator[Row],
    shards: Sequence[Shard],
    settings: FilterSettings,
    seed: int,
    counts: SelectionCounts,
) -> Iterator[Row]:
    ahead = (_lowest(block, settings, seed) for block in blocks(shards))
    lowest: dict[str, list[_Rated]] = {}
    for problem_id, rows in groupby(chosen, key=lambda row: row["problem_id"]):
        while problem_id not in lowest:  # blocks come in the order in which `select` takes them
            lowest = next(ahead)
        ranked = sorted(
            rows, key=lambda row: (-row["weight"], rank(seed, problem_id, row["index"]))
        )
        for row, other in zip(ranked, lowest[problem_id], strict=False):
            text = trained(other.sample.text, row["prompt"], settings)
            if row["weight"] <= other.reward:
                break
            if not text:  # nothing but thoughts
                continue
            counts.pairs = (counts.pairs or 0) + 1
            yield pair_row({**row, "weight": 1.0}, other.sample._replace(text=text))


def _lowest(block: list[Shard], settings: FilterSettings, seed: int) -> dict[str, list[_Rated]]:
    """For every problem of a block its samples by rising reward, as many as pairs may need."""
    found: dict[str, list[Candidate]] = {}
    for number, shard in enumerate(block):
        _gather(shard, number, settings, found)
    drawn: dict[str, list[Candidate]] = {}
    for problem_id, rated in found.items():
        unique = sorted(rated)
        if settings.dedup != "none":
            unique = list({one.digest: one for one in reversed(unique)}.values())
        unique.sort(key=lambda one: (one.reward, rank(seed, problem_id, one.index)))
        drawn[problem_id] = unique[: settings.cap or None]
    said = fetch(block, drawn.values())
    return {
        problem_id: [
            _Rated(Wrong(sample.text, one.index, block[one.shard][2], sample.ids), one.reward)
            for one in some
            for sample in (said[one.shard, one.row],)
        ]
        for problem_id, some in drawn.items()
    }


def _gather(
    shard: Shard, number: int, settings: FilterSettings, found: dict[str, list[Candidate]]
) -> None:
    """The finished and judged samples of a shard; a problem without one is noted too."""
    start = 0
    for sample, verdict in batches(shard, ("reward", "status")):
        names = sample.column("problem_id").to_pylist()
        for name in names:
            found.setdefault(name, [])
        judged = np.isin(np.array(verdict.column("status").to_pylist()), _JUDGED)
        finished = np.array(sample.column("finish").to_pylist()) == "stop"
        looked = np.asarray(sample.column("index")) < (settings.first or np.inf)
        texts, indices = sample.column("text"), sample.column("index")
        rewards = verdict.column("reward").to_pylist()
        for row in np.flatnonzero(judged & finished & looked).tolist():
            text, index = texts[row].as_py(), indices[row].as_py()
            one = Candidate(index, plain_digest(text), rewards[row], number, start + row, len(text))
            found[names[row]].append(one)
        start += len(names)
