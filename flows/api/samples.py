"""The samples of a run with their verdicts: those that somebody asks for, all or a page of them.

Verdicts decide first, by column and shard after shard; of the samples only what is shown is read,
or their texts where a text is asked for. So memory grows with a shard and not with the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.api.fates import FateReader
from flows.runs.journal_forms import StepLine
from flows.runs.sample_filter import SOLVED, SampleFilter
from flows.runs.status import need_artifact
from tasks.dag.shard_inputs import ScoredShard
from tasks.dag.step_names import SCORE, line_name
from tasks.errors import UserError
from tasks.evaluate.results import CORRECT
from tasks.rows import (
    PROBLEMS_FILE,
    ROW_GROUP,
    SAMPLES_FILE,
    VERDICTS_FILE,
    Row,
    Status,
    answer_of,
    read_rows_at,
)
from tasks.store.store import Store

_PROBLEMS = "problems"
# A shard's step, and which of its samples are asked for, ascending.
_Places = tuple[StepLine, ScoredShard, np.ndarray]
_OF_ROW = ("index", "seed", "text", "tokens", "finish", "reward", "extracted")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem as the run has it.

    Attributes:
        reference: The gold answer, or the tests of a program as JSON.
        split: train, validation or test.
    """

    id: str
    question: str
    reference: str
    level: str
    subject: str
    split: str


@dataclass(frozen=True, kw_only=True)
class ScoredSample:
    """A sample of a policy and the verdict on it.

    Attributes:
        iteration: The policy p_iteration that it was drawn from; 0 is the base.
        index: Among the samples of its problem, from 0.
        seed: That it alone was drawn with.
        answer: What was checked: the text, of a chat model without its thoughts.
        tokens: Their number, the one that ended it included.
        finish: "stop", "length" (cut at max_tokens), "refused", or "error" where the engine gave
            none.
        reward: In [0, 1].
        status: Why it got that reward.
        extracted: The answer that the checker found in the text.
    """

    iteration: int
    problem: Problem
    index: int
    seed: int
    text: str
    answer: str
    tokens: int
    finish: str
    reward: float
    status: Status
    extracted: str


@dataclass(frozen=True)
class SamplePage:
    """Some of the samples that were asked for, and how many there are."""

    samples: list[ScoredSample]
    total: int


class SampleReader:
    """Reads the samples of a run from its artifacts, each verified before it is read."""

    def __init__(self, store: Store, steps: Sequence[StepLine]) -> None:
        """Nothing is read yet."""
        self._store, self._steps = store, steps
        self._scored = [line for line in steps if line.step.startswith(line_name(SCORE, ""))]

    @property
    def drawn(self) -> dict[str, list[int]]:
        """By purpose the policies that were sampled for it, each as they come in the journal."""
        found: dict[str, list[int]] = {}
        for line in self._scored:
            policies = found.setdefault(line.step.removeprefix(line_name(SCORE, "")), [])
            if line.iteration not in policies:
                policies.append(line.iteration)
        return found

    def samples(self, asked: SampleFilter) -> Iterator[ScoredSample]:
        """All that are asked for, one at a time.

        Raises:
            UserError: the run has no such samples, or an artifact is gone.
        """
        return self._all(self._found(asked))

    def page(self, asked: SampleFilter, first: int, count: int) -> SamplePage:
        """Of those that are asked for `count` samples from `first` on; raises as `samples`."""
        found, total = list[tuple[StepLine, Row]](), 0
        for line, shard, places in self._found(asked):
            here = places[max(first - total, 0) : max(first + count - total, 0)]
            found += [(line, row) for row in self._rows(shard, here)]
            total += len(places)
        problems = self._problems({row["problem_id"] for _, row in found})
        return SamplePage([_sample(line, row, problems) for line, row in found], total)

    def _all(self, found: Iterator[_Places]) -> Iterator[ScoredSample]:
        problems: dict[str, Problem] | None = None
        for line, shard, places in found:
            for row in self._rows(shard, places):
                problems = self._problems() if problems is None else problems
                yield _sample(line, row, problems)

    def _found(self, asked: SampleFilter) -> Iterator[_Places]:
        """Of each shard the places of the samples that are asked for."""
        asked.check()
        return self._found_in(self._lines(asked), asked)

    def _found_in(self, lines: Sequence[StepLine], asked: SampleFilter) -> Iterator[_Places]:
        problems = self._problem_ids(asked.problem)
        before = self._base(asked) if asked.flipped else None
        fates = FateReader(self._store, self._steps, asked.fate) if asked.fate else None
        for line in fates.of_these(lines) if fates else lines:
            shard = self._shard(line)
            path = self._store.path(shard.verdicts) / VERDICTS_FILE
            places = _judged(path, asked, problems, before)
            if fates and len(places):
                places = fates.among(places, line.iteration, shard.samples)
            if (asked.text or asked.finish) and len(places):
                # Looked up here: a page of verdicts alone fetches no samples from far away.
                ref = need_artifact(self._store, shard.samples.location)
                samples = self._store.path(ref) / SAMPLES_FILE
                if asked.finish:
                    ends = _columns(samples, "finish")["finish"]
                    places = places[np.asarray(pc.equal(ends, asked.finish))[places]]
                if asked.text:
                    places = _with_text(samples, places, asked.text)
            yield line, shard, places

    def _lines(self, asked: SampleFilter) -> list[StepLine]:
        wanted = line_name(SCORE, asked.purpose)
        lines = [line for line in self._scored if line.step == wanted]
        if not lines:
            known = ", ".join(sorted(self.drawn))
            raise UserError(f"purpose: {asked.purpose}: expected one of {known or 'none yet'}")
        if asked.iteration is not None:
            lines = [line for line in lines if line.iteration == asked.iteration]
        if not lines:
            raise UserError(
                f"iteration: {asked.iteration}: nothing was sampled for {asked.purpose} there"
            )
        return lines

    def _shard(self, line: StepLine) -> ScoredShard:
        verdicts = need_artifact(self._store, line.artifact)
        return ScoredShard(self._store.manifest(verdicts).provenance.inputs["samples"], verdicts)

    def _rows(self, shard: ScoredShard, places: np.ndarray) -> Iterator[Row]:
        """Samples of a shard, each merged with its verdict."""
        if len(places):
            need_artifact(self._store, shard.samples.location)
            yield from shard.rows_at(self._store, places.tolist())

    def _base(self, asked: SampleFilter) -> _Rewards:
        """Which problems the base's samples for the same purpose solve, and which not."""
        lines = [one for one in self._lines(SampleFilter(asked.purpose)) if one.iteration == 0]
        tables = [
            _table(self._store.path(self._shard(one).verdicts) / VERDICTS_FILE) for one in lines
        ]
        if not tables:
            raise UserError(f"flipped: the base was not sampled for {asked.purpose}")
        table = pa.concat_tables(tables)
        right = pc.greater_equal(table["reward"], CORRECT)
        ids = table["problem_id"]
        return _Rewards(ids.filter(right), ids.filter(pc.invert(right)))

    def _problem_files(self) -> list[Path]:
        """Those of transfer benchmarks too."""
        places = [one.artifact for one in self._steps if one.artifact.startswith(f"{_PROBLEMS}/")]
        refs = (need_artifact(self._store, place) for place in places)
        return [self._store.path(ref) / PROBLEMS_FILE for ref in refs]

    def _problems(self, ids: Collection[str] | None = None) -> dict[str, Problem]:
        """By id; None: all."""
        found: dict[str, Problem] = {}
        for path in self._problem_files():
            known = _columns(path, "id")["id"]
            kept = np.arange(len(known))
            if ids is not None:
                kept = np.flatnonzero(_is_in(known, pa.array(sorted(ids), pa.string())))
            found |= {row["id"]: _problem(row) for row in read_rows_at(path, kept.tolist())}
        return found

    def _problem_ids(self, wanted: str) -> pa.ChunkedArray | None:
        """The problem with this id or, where there is none, those with the text; None: all."""
        if not wanted:
            return None
        known = pa.concat_tables(_columns(one, "id", "question") for one in self._problem_files())
        ids = known["id"]
        itself = ids.filter(pc.equal(ids, wanted))
        return itself if len(itself) else ids.filter(pc.match_substring(known["question"], wanted))


@dataclass(frozen=True)
class _Rewards:
    """Ids of problems that were solved and that were not, as Arrow columns."""

    right: pa.ChunkedArray
    wrong: pa.ChunkedArray


def _columns(path: Path, *names: str) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(columns=list(names))


def _table(verdicts: Path) -> pa.Table:
    """What decides of a shard's verdicts."""
    return _columns(verdicts, "problem_id", "status", "reward")


def _judged(
    verdicts: Path, asked: SampleFilter, problems: pa.ChunkedArray | None, before: _Rewards | None
) -> np.ndarray:
    """The places of the verdicts that are asked for."""
    if not asked.status and problems is None and before is None:
        return np.arange(pq.read_metadata(verdicts).num_rows)
    table = _table(verdicts)
    kept = np.ones(len(table), dtype=bool)
    if asked.status:
        kept &= _is_in(table["status"], pa.array(sorted(asked.statuses), pa.string()))
    if problems is not None:
        kept &= _is_in(table["problem_id"], problems)
    if before is not None:
        now = np.asarray(pc.greater_equal(table["reward"], CORRECT))
        solved = asked.flipped == SOLVED
        kept &= _is_in(table["problem_id"], before.wrong if solved else before.right)
        kept &= now == solved
    return np.flatnonzero(kept)


def _is_in(column: pa.ChunkedArray, known: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.is_in(column, value_set=known))


def _with_text(samples: Path, places: np.ndarray, text: str) -> np.ndarray:
    """Those of the places where the sample has a text in it; a row group in memory at a time."""
    found, start = [places[:0]], 0
    with pq.ParquetFile(samples) as file:
        for batch in file.iter_batches(ROW_GROUP, columns=["text"]):
            here = places[(places >= start) & (places < start + len(batch))]
            texts = batch.column(0).take(pa.array(here - start))
            found.append(here[np.asarray(pc.match_substring(texts, text))])
            start += len(batch)
    return np.concatenate(found)


def _sample(line: StepLine, row: Row, problems: dict[str, Problem]) -> ScoredSample:
    return ScoredSample(
        iteration=line.iteration,
        problem=problems[row["problem_id"]],
        answer=answer_of(row),
        status=Status(row["status"]),
        **{name: row[name] for name in _OF_ROW},
    )


def _problem(row: Row) -> Problem:
    return Problem(**{name: row[name] for name in Problem.__dataclass_fields__})
