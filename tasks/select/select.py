"""From samples and verdicts to training rows: reward, dedup, cap, decontamination, weight.

Section 3 of Singh et al. (arXiv 2312.06585): keep the correct samples, at most so many for each
problem. The rules run in this order, each on what the one before left:
1. reward at least `min_reward`; 2. finished, not cut at the token limit; 3. of texts of a problem
that are equal up to white space the one with the lowest index; 4. those that the selector wants
(selectors.py), such as the ones with the problem's highest reward; 5. none of a problem that too
few or too many of its samples solve; 6. at most `cap` by a seeded draw; 7. problems whose question
overlaps the test set's, where they were sampled (a run leaves them out before that); then the
weight. With `select = "human"` a problem of which a sample is left gets one row with the data set's
own solution (figure 6).

The draw ranks each sample by a hash of (seed, problem, index), so it depends on nothing else: not
on the order of shards nor on other problems, and a cap of 4 keeps a subset of a cap of 10.

Samples are read twice, one block of problems at a time: first to decide (a digest for each text is
held), then to fetch the texts that stay. So memory grows with a block, not with the set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.decoding.thinking import without_thoughts
from tasks.errors import StepError
from tasks.rows import FINISH, ROW_GROUP, TOKEN_IDS, Row
from tasks.select.cap import cap_of, rank, turns_of
from tasks.select.decontaminate import overlapping
from tasks.select.drawn import Shard, fetch
from tasks.select.results import LevelCount, SelectionCounts
from tasks.select.selectors import SELECTORS, Candidate, Choose
from tasks.settings import FilterSettings
from tasks.solutions import bigrams, most_unlike, plain_digest, said_digest


def select(
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    *,
    adaptive: bool = False,
    choose: Choose | None = None,
) -> tuple[Iterator[Row], SelectionCounts]:
    """Apply the rules; rows come block by block, by problem in the order of `problems`, by index.

    Args:
        shards: All sample shards with their verdicts, row for row in the same order.
        problems: Problem rows; those of split `test` are what training must not overlap.
        settings: The rules.
        seed: Of the draw behind the cap.
        prompt_of: The prompt of a problem row.
        adaptive: Whether verdicts decided how many samples a problem got.
        choose: In the place of the selector that the settings name.

    Returns:
        The training rows, and their counts, which grow while the rows are consumed.

    Raises:
        StepError: (while iterating) verdicts that do not belong to their samples, or a sample of
            an unknown problem.
    """
    counts = SelectionCounts(first=LevelCount() if adaptive else None)
    choose = choose or partial(_named, settings.select)
    return _rows(shards, problems, settings, seed, prompt_of, counts, choose), counts


def _named(name: str, problem_id: str, found: list[Candidate]) -> list[Candidate]:
    return SELECTORS[name](found)


def _rows(
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    counts: SelectionCounts,
    choose: Choose,
) -> Iterator[Row]:
    position = {problem["id"]: at for at, problem in enumerate(problems)}
    overlap = overlapping(problems, settings.decontaminate_ngram)
    counts.problems_contaminated = len(overlap)
    for block in blocks(shards):
        candidates: dict[str, list[Candidate]] = {}
        tried: dict[str, LevelCount] = {}
        for number, shard in enumerate(block):
            gather(
                shard, number, problems, position, settings, prompt_of, counts, candidates, tried
            )
        turns = turns_of(block)
        kept: dict[str, list[Candidate]] = {}
        counts.problems += len(candidates)
        counts.problems_solved += sum(one.correct > 0 for one in tried.values())
        for problem_id in sorted(candidates, key=position.__getitem__):
            found, share = candidates[problem_id], tried[problem_id].share
            chosen = _choose(problem_id, found, share, settings, seed, turns, counts, choose)
            if problem_id in overlap:
                counts.dropped_contaminated += len(chosen)
            elif settings.select == "human" and not problems[position[problem_id]]["solution"]:
                counts.dropped_cap += len(chosen)  # nothing may stand in their place
            elif chosen:
                counts.kept += len(chosen)
                kept[problem_id] = chosen
        drawn = fetch(block, kept.values())
        for problem_id, chosen in kept.items():
            prompt = prompt_of(problems[position[problem_id]])
            if settings.select == "human":
                yield _human(problem_id, prompt, problems[position[problem_id]]["solution"])
                continue
            for one in chosen:
                sample = drawn.pop((one.shard, one.row))
                yield {
                    "prompt": prompt,
                    "completion": trained(sample.text, prompt, settings),
                    TOKEN_IDS: sample.ids,
                    FINISH: sample.finish,
                    "weight": one.reward if settings.weight == "reward" else 1.0,
                    "problem_id": problem_id,
                    "index": one.index,
                    "samples": block[one.shard][2],
                }


def trained(text: str, prompt: str, settings: FilterSettings) -> str:
    """What is trained on of a sample's text."""
    return without_thoughts(prompt, text) if settings.thinking == "drop" else text


def blocks(shards: Sequence[Shard]) -> Iterator[list[Shard]]:
    """Group shards that share problems, in the order of each group's first shard.

    Shards of one block of problems hold different sample indices of the same problems, and all of
    a problem's samples must be seen together.
    """
    group_of: dict[str, int] = {}
    groups: dict[int, list[int]] = {}
    for number, (samples, _, _) in enumerate(shards):
        ids = pq.read_table(samples, columns=["problem_id"]).column(0).unique().to_pylist()
        touched = sorted({group_of[one] for one in ids if one in group_of})
        home = touched[0] if touched else number
        members = groups.setdefault(home, [])
        for other in touched[1:]:
            members.extend(groups.pop(other))
            for one in [one for one, group in group_of.items() if group == other]:
                group_of[one] = home
        members.append(number)
        group_of.update(dict.fromkeys(ids, home))
    for members in groups.values():
        yield [shards[number] for number in sorted(members)]


def gather(
    shard: Shard,
    number: int,
    problems: Sequence[Row],
    position: Mapping[str, int],
    settings: FilterSettings,
    prompt_of: Callable[[Row], str],
    counts: SelectionCounts,
    candidates: dict[str, list[Candidate]],
    tried: dict[str, LevelCount],
) -> None:
    """Rules 1 and 2 on one shard; the survivors are noted by problem."""
    start, begins = 0, False
    for sample, verdict in batches(shard):
        ids = sample.column("problem_id")
        # Rewards are stored as float32, so the threshold is rounded in the same way.
        correct = np.asarray(verdict.column("reward")) >= np.float32(settings.min_reward)
        looked = np.asarray(sample.column("index")) < (settings.first or np.inf)
        correct &= looked
        passed = correct
        if settings.finished_only:
            passed = correct & (np.array(sample.column("finish").to_pylist()) == "stop")
        kept = np.flatnonzero(passed)
        counts.samples += int(looked.sum())
        counts.correct += int(correct.sum())
        counts.dropped_reward += int(looked.sum()) - int(correct.sum())
        counts.dropped_unfinished += int(correct.sum()) - len(kept)
        if start == 0:  # a shard's rows begin with its first index
            begins = sample.column("index")[0].as_py() == 0
        if counts.first and begins:
            counts.first.samples += int(looked.sum())
            counts.first.correct += int(correct.sum())
        names = ids.to_pylist()
        for name, right, used in zip(names, correct.tolist(), looked.tolist(), strict=True):
            if not used:
                continue
            if name not in candidates:
                if name not in position:
                    raise StepError(f"samples of problem {name!r}, which is not in the problems")
                candidates[name] = []
                tried[name] = LevelCount()
            for level in (_level(counts, problems[position[name]]), tried[name]):
                level.samples += 1
                level.correct += right
        part = sample.take(pa.array(kept))
        rewards = verdict.column("reward").take(pa.array(kept)).to_pylist()
        texts, indices = part.column("text").to_pylist(), part.column("index").to_pylist()
        for row, text, index, reward in zip(kept.tolist(), texts, indices, rewards, strict=True):
            if settings.thinking == "drop":
                prompt = prompt_of(problems[position[names[row]]])
                text = trained(text, prompt, settings)
            digest = said_digest(text, settings.dedup) or plain_digest(text)
            words = bigrams(text) if settings.select == "diverse" else frozenset[int]()
            one = Candidate(index, digest, reward, number, start + row, len(text), words)
            candidates[names[row]].append(one)
        start += len(ids)


def first_of_each_text(found: list[Candidate], settings: FilterSettings) -> list[Candidate]:
    """Rule 3 on the samples of one problem that rules 1 and 2 left; by index."""
    if settings.dedup == "none":
        return sorted(found)
    return sorted({one.digest: one for one in sorted(found, reverse=True)}.values())


def _choose(
    problem_id: str,
    found: list[Candidate],
    share: float,
    settings: FilterSettings,
    seed: int,
    turns: Sequence[int],
    counts: SelectionCounts,
    choose: Choose,
) -> list[Candidate]:
    """Rules 3 to 6 on one problem, of whose samples a share is accepted; by index."""
    unique = first_of_each_text(found, settings)
    counts.dropped_duplicate += len(found) - len(unique)
    found = unique
    if found:
        wanted = choose(problem_id, found)
        lowest = min((one.reward for one in wanted), default=np.inf)
        below = sum(one.reward < lowest for one in found)
        counts.dropped_reward += below
        counts.dropped_cap += len(found) - len(wanted) - below
        found = sorted(wanted)
    if not settings.min_pass_rate <= share <= settings.max_pass_rate:
        counts.dropped_band += len(found)
        return []
    cap = cap_of(settings, share)
    if cap and len(found) > cap:
        counts.dropped_cap += len(found) - cap
        found.sort(key=lambda one: rank(seed, problem_id, one.index, turns[one.shard]))
        if settings.select == "diverse":
            sets = [one.words for one in found]
            found = [found[place] for place in most_unlike(sets, range(len(sets)), cap)]
        found = sorted(found[:cap])
    return found


def _human(problem_id: str, prompt: str, solution: str) -> Row:
    """The row of a problem's human solution, which no sample stands behind."""
    return {
        "prompt": prompt,
        "completion": solution,
        "weight": 1.0,
        "problem_id": problem_id,
        "index": -1,
        "samples": "",
    }


def _level(counts: SelectionCounts, problem: Row) -> LevelCount:
    level = problem["level"] or ""
    if level not in counts.levels:
        counts.levels[level] = LevelCount()
    return counts.levels[level]


def batches(
    shard: Shard, judged: tuple[str, ...] = ("reward",)
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Samples and verdicts (the columns `judged`) side by side, checked to belong together."""
    samples, verdicts, _ = shard
    with pq.ParquetFile(samples) as left, pq.ParquetFile(verdicts) as right:
        if left.metadata.num_rows != right.metadata.num_rows:
            raise StepError(f"{verdicts} has another number of rows than {samples}")
        columns = ["problem_id", "index", "text", "finish"]
        for sample, verdict in zip(
            left.iter_batches(ROW_GROUP, columns=columns),
            right.iter_batches(ROW_GROUP, columns=["problem_id", "index", *judged]),
            strict=True,
        ):
            for name in ("problem_id", "index"):
                if not sample.column(name).equals(verdict.column(name)):
                    raise StepError(f"{verdicts} does not belong to {samples}")
            yield sample, verdict
