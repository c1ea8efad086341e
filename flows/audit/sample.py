"""Draws the pairs that an audit looks at from the samples and verdicts of a finished run.

Unlike (reference, text) pairs are counted once, whatever number of samples repeats them. They are
drawn at random within strata of our own verdict, because a rare verdict would hardly be seen
otherwise; how many pairs a stratum has is counted exactly and gives its weight.

Rows are streamed. What grows with the run is one integer for each unlike pair.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from flows.runs.journal import read_journal
from flows.runs.journal_forms import StepLine
from tasks.dag.mixed import CHECKERS_KEY
from tasks.dag.runtime import open_store
from tasks.dag.shard_inputs import ScoredShard
from tasks.dag.step_names import RATE
from tasks.errors import UserError
from tasks.rows import (
    PROBLEMS_FILE,
    SAMPLES_FILE,
    VERDICTS_FILE,
    Row,
    Status,
    answer_of,
    read_rows,
)
from tasks.settings import Resources
from tasks.store.store import ArtifactRef, Damage, Store


class Stratum(StrEnum):
    """What our checker said of a pair."""

    ACCEPTED = "accepted"  # correct
    REFUSED = "refused"  # a wrong answer, or none
    UNSETTLED = "unsettled"  # a checker error: no verdict, though its reward is 0


STRATUM_OF = {
    Status.CORRECT: Stratum.ACCEPTED,
    Status.WRONG_ANSWER: Stratum.REFUSED,
    Status.NO_ANSWER: Stratum.REFUSED,
    Status.CHECKER_ERROR: Stratum.UNSETTLED,
}


@dataclass(frozen=True)
class AuditPair:
    """One (reference, text) pair with our verdict on it, as it is in the run's artifacts."""

    id: str  # the same in every audit, so that labels find it again
    rank: int  # random: pairs are asked in this order
    stratum: Stratum
    problem_id: str
    question: str
    gold: str
    text: str
    status: str
    extracted: str
    group: str  # subject, or level where the problems have no subject


@dataclass
class AuditSample:
    """The pairs of an audit.

    Attributes:
        pairs: In random order.
        sizes: Unlike pairs of each stratum in the whole run.
        samples: Samples in the run, repeated texts among them.
        grouped_by: `subject`, `level`, or empty where the problems have neither.
    """

    pairs: list[AuditPair]
    sizes: dict[Stratum, int]
    samples: int
    problems: int
    grouped_by: str
    notes: list[str] = field(default_factory=list)


def draw_pairs(run: str, count: int, seed: int) -> AuditSample:
    """Draw `count` unlike pairs of a run, or all for 0.

    Raises:
        UserError: there is no such run, it has no scored samples of math problems, or an artifact
            is gone or damaged.
    """
    head, steps = read_journal(run)
    store = open_store(Resources.model_validate(head.config.get("resources", {})))
    try:
        shards, others = _math_shards(store, steps)
        if not shards and others:
            raise UserError(
                f"RUN {run}: its samples are graded by {' and '.join(sorted(others))}; "
                "expected a run of math problems"
            )
        if not shards:
            raise UserError(f"RUN {run}: it has no scored samples; expected a run that sampled")
        drawn = _draw(store, shards, count, seed)
    except Damage as damage:
        raise UserError(f"{damage}; run the run again to rebuild it") from None
    if not drawn.pairs:
        raise UserError(f"RUN {run}: its shards hold no samples; expected at least one")
    if others:
        drawn.notes.append(f"Samples graded by {' and '.join(sorted(others))} are left out.")
    return drawn


@dataclass(frozen=True)
class _Shard:
    """Samples, their verdicts, and the problems they answer."""

    samples: ArtifactRef
    verdicts: ArtifactRef
    problems: ArtifactRef
    split: str


# What other checkers are called.
_OTHERS = {"exact": "exact match", "hand": "a person", "choice": "letter", "notes": "its utility"}


def _math_shards(store: Store, steps: list[StepLine]) -> tuple[list[_Shard], set[str]]:
    """The shards of math problems in the order they were scored, and what graded the others."""
    shards, others = [], set()
    for location in dict.fromkeys(line.artifact for line in steps):
        if not location.startswith("verdicts/"):
            continue
        verdicts = _need(store, location)
        made = store.manifest(verdicts).provenance
        if made.step == RATE:
            continue
        if CHECKERS_KEY in made.settings:
            others.add("several checkers")
        elif "sandbox" in made.settings:
            others.add("programs' tests")
        elif "checker" in made.settings:
            others.add(_OTHERS[made.settings["checker"]])
        else:
            places = [made.inputs["samples"], made.context["problems"]]
            samples, problems = (_need(store, one.location) for one in places)
            shards.append(_Shard(samples, verdicts, problems, made.hints["split"]))
    return shards, others


def scored_shards(
    store: Store, steps: list[StepLine]
) -> tuple[list[ScoredShard], list[ArtifactRef]]:
    """All samples of a run with the checker's verdicts, in order, and their problems.

    Raises:
        UserError: an artifact is gone.
    """
    shards: list[ScoredShard] = []
    problems: dict[str, ArtifactRef] = {}
    for location in dict.fromkeys(line.artifact for line in steps):
        if not location.startswith("verdicts/"):
            continue
        verdicts = _need(store, location)
        made = store.manifest(verdicts).provenance
        if made.step == RATE:
            continue
        samples, asked = (
            _need(store, one.location) for one in (made.inputs["samples"], made.context["problems"])
        )
        shards.append(ScoredShard(samples, verdicts))
        problems[asked.location] = asked
    return shards, list(problems.values())


def _need(store: Store, location: str) -> ArtifactRef:
    kind, key = location.split("/")
    ref = store.lookup(kind, key)
    if ref is None:
        raise UserError(f"artifact {location} is gone; run the run again to rebuild it")
    return ref


def _draw(store: Store, shards: list[_Shard], count: int, seed: int) -> AuditSample:
    heaps: dict[Stratum, list[tuple[int, AuditPair]]] = {one: [] for one in Stratum}
    sizes = dict.fromkeys(Stratum, 0)
    seen: set[int] = set()
    asked: set[str] = set()
    known: dict[tuple[str, str], dict[str, Row]] = {}
    samples = 0
    for shard in shards:
        place = shard.problems.location, shard.split
        if place not in known:
            known[place] = _problems(store.path(shard.problems), shard.split)
        for row in _rows(store, shard):
            samples += 1
            asked.add(row["problem_id"])
            problem = known[place][row["problem_id"]]
            rank = _rank(seed, problem["reference"], row["text"])
            if rank in seen:
                continue
            seen.add(rank)
            stratum = STRATUM_OF.get(Status(row["status"]), Stratum.UNSETTLED)
            sizes[stratum] += 1
            heap = heaps[stratum]
            if not count or len(heap) < count:
                heapq.heappush(heap, (-rank, _pair(row, problem, rank, stratum)))
            elif rank < -heap[0][0]:
                heapq.heapreplace(heap, (-rank, _pair(row, problem, rank, stratum)))
    chosen = []
    for stratum, share in shares(sizes, count).items():
        chosen += sorted((pair for _, pair in heaps[stratum]), key=lambda one: one.rank)[:share]
    rows = [row for of in known.values() for row in of.values() if row["id"] in asked]
    by = next((name for name in ("subject", "level") if any(row[name] for row in rows)), "")
    return AuditSample(
        pairs=_grouped(sorted(chosen, key=lambda one: one.rank), rows, by),
        sizes=sizes,
        samples=samples,
        problems=len(asked),
        grouped_by=by,
    )


def shares(sizes: dict[Stratum, int], count: int) -> dict[Stratum, int]:
    """How many pairs each stratum gives: equal shares; what one cannot fill goes to the others."""
    left = count or sum(sizes.values())
    given: dict[Stratum, int] = {}
    for place, stratum in enumerate(sorted(sizes, key=lambda one: sizes[one])):
        given[stratum] = min(sizes[stratum], left // (len(sizes) - place))
        left -= given[stratum]
    return given


def _problems(folder: Path, split: str) -> dict[str, Row]:
    columns = ["id", "question", "reference", "level", "subject", "split"]
    rows = read_rows(folder / PROBLEMS_FILE, columns)
    return {row["id"]: row for row in rows if row["split"] == split}


def _rows(store: Store, shard: _Shard) -> Iterator[Row]:
    samples = store.path(shard.samples) / SAMPLES_FILE
    verdicts = store.path(shard.verdicts) / VERDICTS_FILE
    for sample, verdict in zip(
        read_rows(samples),
        read_rows(verdicts, ["problem_id", "index", "status", "extracted"]),
        strict=True,
    ):
        yield {**sample, **verdict, "text": answer_of(sample)}


def _rank(seed: int, gold: str, text: str) -> int:
    """A random number of the pair, the same for equal pairs: 63 bits, so that chance never is."""
    return int.from_bytes(_hash(f"audit {seed}", gold, text), "big") >> 1


def _hash(*parts: str) -> bytes:
    whole = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=8).digest()


def _pair(row: Row, problem: Row, rank: int, stratum: Stratum) -> AuditPair:
    return AuditPair(
        id=_hash("pair", problem["reference"], row["text"]).hex(),
        rank=rank,
        stratum=stratum,
        problem_id=row["problem_id"],
        question=problem["question"],
        gold=problem["reference"],
        text=row["text"],
        status=row["status"],
        extracted=row["extracted"],
        group="",
    )


def _grouped(pairs: list[AuditPair], problems: list[Row], by: str) -> list[AuditPair]:
    """The pairs with their subject or level."""
    if not by:
        return pairs
    of = {row["id"]: row[by] for row in problems}
    return [replace(pair, group=of[pair.problem_id]) for pair in pairs]
