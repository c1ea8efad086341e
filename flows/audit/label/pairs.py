"""The pairs of a run's samples that a person is asked about, and what others said of them.

They are the pairs that the run's own `compare` draws (`judge.pairs` of each problem, by its seed),
so labels of them are of use as `judge.source`. All people get the same pairs in the same random
order: whatever part each comes to, much of it is labelled by others too.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from flows.runs.journal import read_journal
from flows.runs.journal_forms import StepLine
from flows.runs.status import need_artifact
from tasks.compare.draw import Pair, draw_pairs
from tasks.dag.runtime import open_store
from tasks.dag.step_names import COMPARE, DRAW, GENERATE, SCORE, line_name
from tasks.errors import UserError
from tasks.evaluate.alignment import PairKey
from tasks.rows import (
    PREFERENCES_FILE,
    PROBLEMS_FILE,
    SAMPLES_FILE,
    VERDICTS_FILE,
    Row,
    read_rows,
)
from tasks.store.store import ArtifactRef, Store

CHECKER = "checker"


@dataclass(frozen=True)
class AskedPair:
    """A pair that is shown to people.

    Attributes:
        id: Names it in messages between page and server.
    """

    id: str
    pair: Pair
    question: str

    @property
    def key(self) -> PairKey:
        """Names it in rows."""
        return self.pair.problem_id, self.pair.first, self.pair.second


@dataclass(frozen=True)
class AskedPairs:
    """What there is to label.

    Attributes:
        run: The run.
        iteration: Number of the policy that drew the samples.
        pairs: In the order in which they are shown.
        said: By labeller of the run (the judge, the checker), p of the pairs that it has.
    """

    run: str
    iteration: int
    pairs: list[AskedPair]
    said: dict[str, dict[PairKey, float]] = field(default_factory=dict)


def pairs_of_run(run: str, iteration: int | None, count: int) -> AskedPairs:
    """The pairs of a run.

    Args:
        run: Its id, the beginning of it, or `latest`.
        iteration: Number of the policy that drew the samples; None: the last that did.
        count: Most pairs; 0: all.

    Raises:
        UserError: there is no such run, it drew no samples then, no two of them differ, or an
            artifact is gone.
    """
    head, steps = read_journal(run, "rest-em")
    config = parse(RestEmConfig, head.config, f"RUN {head.run}: its configuration")
    store = open_store(config.resources)
    numbers = {line.iteration for line in steps if line.step == line_name(GENERATE, DRAW)}
    if not numbers:
        raise UserError(
            f"RUN {run}: it has no samples of training problems; expected a run that sampled"
        )
    number = max(numbers) if iteration is None else iteration
    if number not in numbers:
        known = ", ".join(map(str, sorted(numbers)))
        raise UserError(f"--iteration {number}: its policies that drew samples are {known}")
    steps = [line for line in steps if line.iteration == number]
    rank = _ranked(config.seed)
    drawn = _draw(store, steps, config.seed, config.judge.pairs)
    chosen = sorted(heapq.nsmallest(count, drawn, key=rank) if count else drawn, key=rank)
    if not chosen:
        raise UserError(
            f"RUN {run}: no two samples of a problem differ; expected a run with several samples "
            "of each"
        )
    wanted = {one.key for one in chosen}
    found = {CHECKER: _by_checker(store, steps, wanted), **_by_labeller(store, steps, wanted)}
    return AskedPairs(head.run, number, chosen, {who: said for who, said in found.items() if said})


def _draw(store: Store, steps: list[StepLine], seed: int, each: int) -> Iterator[AskedPair]:
    """All pairs that `compare` would draw, block by block."""
    blocks: dict[tuple[str, int, int], list[ArtifactRef]] = {}
    problems: dict[str, ArtifactRef] = {}
    for line in _lines(steps, GENERATE):
        ref = need_artifact(store, line.artifact)
        made = store.manifest(ref).provenance
        hints = made.hints
        blocks.setdefault((hints["split"], hints["start"], hints["stop"]), []).append(ref)
        problems[hints["split"]] = made.context["problems"]
    questions = {
        row["id"]: row["question"]
        for ref in set(problems.values())
        for row in read_rows(
            store.path(need_artifact(store, ref.location)) / PROBLEMS_FILE, ["id", "question"]
        )
    }
    for refs in blocks.values():
        rows = (row for ref in refs for row in read_rows(store.path(ref) / SAMPLES_FILE))
        for pair in draw_pairs(rows, seed, each):
            yield AskedPair(_id(pair), pair, questions[pair.problem_id])


def _by_checker(store: Store, steps: list[StepLine], wanted: set[PairKey]) -> dict[PairKey, float]:
    """What the checker's rewards prefer; pairs on which they are equal say nothing."""
    samples = {(name, index) for name, *both in wanted for index in both}
    rewards = {
        key: row["reward"]
        for row in _rows(store, steps, SCORE, VERDICTS_FILE)
        if (key := (row["problem_id"], row["index"])) in samples
    }
    found: dict[PairKey, float] = {}
    for name, first, second in wanted:
        one, other = rewards.get((name, first)), rewards.get((name, second))
        if one is not None and other is not None and one != other:
            found[name, first, second] = float(one > other)
    return found


def _by_labeller(
    store: Store, steps: list[StepLine], wanted: set[PairKey]
) -> dict[str, dict[PairKey, float]]:
    """What the run's own labeller said, where it had one that is no checker."""
    found: dict[str, dict[PairKey, float]] = {}
    for line in _lines(steps, COMPARE):
        ref = need_artifact(store, line.artifact)
        who = str(store.manifest(ref).provenance.settings["labels"])
        if who != "judge":  # the oracle is the checker, and people of a file are people
            continue
        for row in read_rows(store.path(ref) / PREFERENCES_FILE):
            key = row["problem_id"], row["first"], row["second"]
            if key in wanted and row["p"] is not None:
                found.setdefault(who, {})[key] = row["p"]
    return found


def _rows(store: Store, steps: list[StepLine], step: str, file: str) -> Iterator[Row]:
    for line in _lines(steps, step):
        yield from read_rows(store.path(need_artifact(store, line.artifact)) / file)


def _lines(steps: list[StepLine], step: str) -> list[StepLine]:
    """Lines of a step on samples for training, each artifact once."""
    wanted = line_name(step, DRAW)
    return list({line.artifact: line for line in steps if line.step == wanted}.values())


def _id(pair: Pair) -> str:
    named = "\x1f".join([pair.problem_id, str(pair.first), str(pair.second), *pair.texts])
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _ranked(seed: int) -> Callable[[AskedPair], bytes]:
    """The random order of a run's pairs, whatever their number."""
    return lambda one: hashlib.sha256(f"{seed}\x1flabel\x1f{one.id}".encode()).digest()
