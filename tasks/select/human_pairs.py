"""Preference pairs of a human solution over a sample of the policy's own (SPIN).

Self-play fine-tuning (Chen et al., arXiv 2401.01335, section 4) needs no checker: what the data set
says is preferred to what the policy says, right or wrong, until the two cannot be told apart. A
problem with a solution of its own gives a pair for each of its samples that the seeded draw of
`cap` keeps: finished, of different texts, and unlike the solution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tasks.rows import FINISH, REJECTED_IDS, TOKEN_IDS, Row
from tasks.select.cap import rank
from tasks.select.decontaminate import overlapping
from tasks.select.drawn import Shard, fetch
from tasks.select.results import LevelCount, SelectionCounts
from tasks.select.select import batches, blocks, trained
from tasks.select.selectors import Candidate, Choose
from tasks.settings import FilterSettings
from tasks.solutions import plain_digest


def human_pairs(
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    *,
    adaptive: bool = False,
    choose: Choose | None = None,
) -> tuple[Iterator[Row], SelectionCounts]:
    """Make the pairs, by problem in the order of `problems`, by index of the rejected sample.

    Arguments and errors are those of `select`, but for `choose`, which is not used, and
    `adaptive`, for no verdict counts. The rows are those of rows.PAIR.
    """
    counts = SelectionCounts(pairs=0)
    return _rows(shards, problems, settings, seed, prompt_of, counts), counts


def _rows(
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    counts: SelectionCounts,
) -> Iterator[Row]:
    known = {row["id"]: row for row in problems}
    overlap = overlapping(problems, settings.decontaminate_ngram)
    counts.problems_contaminated = len(overlap)
    for block in blocks(shards):
        found: dict[str, list[Candidate]] = {}
        for number, shard in enumerate(block):
            _gather(shard, number, settings, counts, known, found)
        counts.problems += len(found)
        drawn = {
            name: _drawn(name, found[name], known[name], settings, seed, counts)
            for name in known
            if name in found
        }
        for name in [name for name in drawn if name in overlap]:
            counts.dropped_contaminated += len(drawn.pop(name))
        said = fetch(block, drawn.values())
        for name, some in drawn.items():
            prompt = prompt_of(known[name])
            for one in some:
                sample = said[one.shard, one.row]
                counts.kept += 1
                counts.pairs = (counts.pairs or 0) + 1
                yield {
                    "prompt": prompt,
                    "completion": known[name]["solution"],
                    TOKEN_IDS: None,
                    FINISH: "stop",
                    "weight": 1.0,
                    "problem_id": name,
                    "index": -1,
                    "samples": "",
                    "rejected": trained(sample.text, prompt, settings),
                    REJECTED_IDS: sample.ids,
                    "rejected_index": one.index,
                    "rejected_samples": block[one.shard][2],
                }


def _drawn(
    name: str,
    found: list[Candidate],
    problem: Row,
    settings: FilterSettings,
    seed: int,
    counts: SelectionCounts,
) -> list[Candidate]:
    """A problem's samples that stand in pairs, by index."""
    if not problem["solution"]:
        counts.dropped_cap += len(found)  # nothing may stand beside them
        return []
    own = plain_digest(problem["solution"])
    unlike = [one for one in sorted(found) if one.digest != own]
    if settings.dedup != "none":
        unlike = list({one.digest: one for one in reversed(unlike)}.values())
    counts.dropped_duplicate += len(found) - len(unlike)
    unlike.sort(key=lambda one: rank(seed, name, one.index))
    kept = unlike[: settings.cap or None]
    counts.dropped_cap += len(unlike) - len(kept)
    return sorted(kept)


def _gather(
    shard: Shard,
    number: int,
    settings: FilterSettings,
    counts: SelectionCounts,
    known: dict[str, Row],
    found: dict[str, list[Candidate]],
) -> None:
    start = 0
    for sample, _ in batches(shard):
        columns = (sample.column(name).to_pylist() for name in ("problem_id", "index", "finish"))
        texts = sample.column("text")
        for row, (name, index, finish) in enumerate(zip(*columns, strict=True)):
            if settings.first and index >= settings.first:
                continue
            level = counts.levels.setdefault(known[name]["level"] or "", LevelCount())
            level.samples += 1
            counts.samples += 1
            some = found.setdefault(name, [])
            if finish != "stop":
                counts.dropped_unfinished += 1
                continue
            text = texts[row].as_py()
            some.append(Candidate(index, plain_digest(text), 0.0, number, start + row, len(text)))
        start += len(sample)
