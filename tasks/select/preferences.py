"""From labelled preferences to training pairs: each with the probability that its label gives.

A pair's chosen side is the sample that is preferred, of equals the first, and p is how surely it
is: DPO with soft labels (tasks/finetune/soft_preference.py). No reward plays a part. The rules:

1. a label: none where the judge failed, or no person said anything;
2. the question does not overlap the test set's;
3. at most `cap` pairs of a problem, by a seeded draw that depends on the problem alone.

Which pairs there are was drawn before (tasks/compare/draw.py), among finished samples of different
texts. A sample is counted as kept where it stands in a pair; those in none count with the cap.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tasks.rows import FINISH, REJECTED_IDS, TOKEN_IDS, Row
from tasks.select.decontaminate import overlapping
from tasks.select.drawn import Drawn, Shard, fetch
from tasks.select.results import LevelCount, SelectionCounts
from tasks.select.select import batches, blocks, trained
from tasks.select.selectors import Candidate, Choose
from tasks.settings import FilterSettings


class _Label(NamedTuple):
    """A labelled pair: the preferred sample, the other one, and how surely."""

    chosen: int
    rejected: int
    p: float


Labels = dict[str, list[_Label]]


def preference_pairs(
    labelled: Iterable[Row],
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    *,
    adaptive: bool = False,
    choose: Choose | None = None,
) -> tuple[Iterator[Row], SelectionCounts]:
    """Make the pairs; they come by problem in the order of `problems`, by indices.

    Args:
        labelled: Rows of rows.PREFERENCE.
        shards: All sample shards with the checker's verdicts, which are only counted.
        problems: Problem rows.
        settings: `cap`, `first`, `decontaminate_ngram` and `thinking` are used.
        seed: Of the draw behind the cap.
        prompt_of: The prompt of a problem row.
        adaptive: Not used, and neither is
        choose: a selector.

    Returns:
        Rows of rows.SOFT_PAIR, and counts that grow while these are consumed.
    """
    counts = SelectionCounts(pairs=0)
    return _rows(_labels(labelled), shards, problems, settings, seed, prompt_of, counts), counts


def _labels(rows: Iterable[Row]) -> Labels:
    found: Labels = defaultdict(list)
    for row in rows:
        if row["p"] is None:
            continue
        first, second, p = row["first"], row["second"], row["p"]
        one = _Label(first, second, p) if p >= 0.5 else _Label(second, first, 1.0 - p)
        found[row["problem_id"]].append(one)
    return found


def _rows(
    labels: Labels,
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    counts: SelectionCounts,
) -> Iterator[Row]:
    known = {problem["id"]: at for at, problem in enumerate(problems)}
    overlap = overlapping(problems, settings.decontaminate_ngram)
    counts.problems_contaminated = len(overlap)
    for block in blocks(shards):
        samples = _samples(block, settings, problems, known, counts)
        drawn: dict[str, list[_Label]] = {}
        for name in sorted(samples, key=known.__getitem__):
            if name in overlap:
                counts.dropped_contaminated += len(samples[name])
            else:
                there = [one for one in labels.get(name, []) if samples[name].keys() >= {*one[:2]}]
                drawn[name] = _capped(there, name, settings.cap, seed)
        used = {name: {index for one in some for index in one[:2]} for name, some in drawn.items()}
        said = fetch(block, ([samples[name][index] for index in used[name]] for name in drawn))
        for name, some in drawn.items():
            prompt, kept = prompt_of(problems[known[name]]), set[int]()
            for label in some:
                row = _row(label, prompt, samples[name], block, said, settings)
                if row["completion"] and row["rejected"]:
                    kept.update(label[:2])
                    counts.pairs = (counts.pairs or 0) + 1
                    yield {**row, "problem_id": name}
            counts.kept += len(kept)
            counts.dropped_cap += len(samples[name]) - len(kept)


def _row(
    label: _Label,
    prompt: str,
    samples: dict[int, Candidate],
    block: list[Shard],
    said: dict[tuple[int, int], Drawn],
    settings: FilterSettings,
) -> Row:
    chosen, rejected = (samples[index] for index in label[:2])
    one, other = (said[side.shard, side.row] for side in (chosen, rejected))
    return {
        "prompt": prompt,
        "completion": trained(one.text, prompt, settings),
        TOKEN_IDS: one.ids,
        FINISH: one.finish,
        "weight": 1.0,
        "index": label.chosen,
        "samples": block[chosen.shard][2],
        "rejected": trained(other.text, prompt, settings),
        REJECTED_IDS: other.ids,
        "rejected_index": label.rejected,
        "rejected_samples": block[rejected.shard][2],
        "p": label.p,
    }


def _capped(found: list[_Label], problem_id: str, cap: int, seed: int) -> list[_Label]:
    def rank(one: _Label) -> bytes:
        first, second = sorted(one[:2])
        named = f"pairs\x1f{seed}\x1f{problem_id}\x1f{first}\x1f{second}"
        return hashlib.sha256(named.encode()).digest()

    return sorted(sorted(found, key=rank)[: cap or None], key=lambda one: sorted(one[:2]))


def _samples(
    block: list[Shard],
    settings: FilterSettings,
    problems: Sequence[Row],
    known: dict[str, int],
    counts: SelectionCounts,
) -> dict[str, dict[int, Candidate]]:
    """Where each finished sample of a block lies, by problem and index; all are counted."""
    found: dict[str, dict[int, Candidate]] = {}
    for number, shard in enumerate(block):
        start = 0
        for sample, verdict in batches(shard):
            names, indices = sample.column("problem_id").to_pylist(), sample.column("index")
            right = np.asarray(verdict.column("reward")) >= np.float32(settings.min_reward)
            ends = sample.column("finish").to_pylist()
            rows = zip(names, indices.to_pylist(), ends, right.tolist(), strict=True)
            for row, (name, index, finish, correct) in enumerate(rows):
                if settings.first and index >= settings.first:
                    continue
                counts.samples += 1
                counts.correct += correct
                level = problems[known[name]]["level"] or ""
                by_level = counts.levels.setdefault(level, LevelCount())
                by_level.samples += 1
                by_level.correct += correct
                here = found.setdefault(name, {})
                if finish == "stop":
                    here[index] = Candidate(index, b"", 0.0, number, start + row, 0)
                else:
                    counts.dropped_unfinished += 1
            start += len(names)
    counts.problems += len(found)
    return found
