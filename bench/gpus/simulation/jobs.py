"""The jobs of a run and what each waits for: the DAG that the simulation works through.

A set of samples (test, draw, ...) is a stage. Its shards are generated and scored: overlapped (a
shard is scored as soon as it is there, and sets that follow each other go on without a barrier, as
in flows/rest_em/loop.py) or in turn (a set is generated, then scored, then the next). A step
without shards waits for all that came before it, and what comes after waits for it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import StrEnum

from bench.gpus.simulation.batching import drawn, shard_seconds, steady_seconds
from bench.gpus.simulation.costs import EngineParts, SimulatedParts
from tasks.dag.step_names import FINETUNE

# What best-fit packing leaves no room in, where rows are of unlike lengths (tasks/finetune).
FILL = 0.97


class Worker(StrEnum):
    """Who does a job."""

    ENGINE = "engines"
    SCORER = "scorers"
    TRAINER = "trainers"
    MAIN = "main"


@dataclass(frozen=True)
class SimulatedShard:
    """A block of problems by a block of sample indices."""

    problems: int
    samples: int

    @property
    def rows(self) -> int:
        """Samples in it."""
        return self.problems * self.samples


@dataclass(frozen=True)
class SimulatedStage:
    """One part of an iteration.

    Attributes:
        iteration: Of the policy.
        name: As in the journal, without `generate` and `score`.
        generate: Shards to be sampled.
        score: Shards to be scored; fewer than `generate` never, more where samples are cached.
        greedy: Whether the samples are greedy.
        single: A step without shards (select, finetune, ...); empty: none.
        rows: What a single step reads: samples, or training rows for finetune.
    """

    iteration: int
    name: str
    generate: tuple[SimulatedShard, ...] = ()
    score: tuple[SimulatedShard, ...] = ()
    greedy: bool = False
    single: str = ""
    rows: int = 0


@dataclass(frozen=True)
class SimulatedTraining:
    """How a fine-tune goes.

    Attributes:
        epochs: Passes over the rows.
        batch_size: Sequences of a step.
        max_length: Tokens of a sequence.
        packing: Whether rows share a sequence.
        checks: Measurements of the validation reward.
    """

    epochs: float
    batch_size: int
    max_length: int
    packing: bool
    checks: int


@dataclass
class SimulatedJob:
    """One piece of work.

    Attributes:
        worker: Who does it.
        work: Seconds of it, on a server of its own.
        stage: Index of its stage.
        step: `generate`, `score` or the name of a single step.
        policy: Iteration whose policy is loaded for it.
        drain: Seconds more where no job follows it on its engine (streaming).
        needs: Jobs that must end before; indices.
    """

    worker: Worker
    work: float
    stage: int
    step: str
    policy: int = -1
    drain: float = 0.0
    needs: list[int] = field(default_factory=list)


class Durations:
    """How long shards take; of each size a few are worked out, and runs draw among them."""

    VARIANTS = 16

    def __init__(
        self,
        engine: EngineParts,
        lengths: tuple[int, ...],
        greedy_lengths: tuple[int, ...],
        *,
        stream: bool = False,
    ) -> None:
        """Of shards on an engine.

        Args:
            engine: What it costs.
            lengths: Of completions.
            greedy_lengths: Of greedy ones.
            stream: The next shard fills the places that the tail of this one leaves.
        """
        self._engine, self._stream = engine, stream
        self._lengths = {False: lengths, True: greedy_lengths}
        self._known: dict[tuple[SimulatedShard, bool, int], tuple[float, float]] = {}

    def of(self, shard: SimulatedShard, greedy: bool, draw: random.Random) -> tuple[float, float]:
        """Seconds of a shard, and those more that it takes where no other follows it."""
        variant = draw.randrange(self.VARIANTS)
        key = shard, greedy, variant
        if key not in self._known:
            engine = self._engine
            drew = drawn(self._lengths[greedy], shard.rows, random.Random(variant))
            work, drain = shard_seconds(engine, shard.problems, drew), 0.0
            if self._stream:
                steady = min(work, steady_seconds(engine, shard.problems, drew))
                work, drain = steady, work - steady
            self._known[key] = work, drain
        return self._known[key]


def train_seconds(parts: SimulatedParts, how: SimulatedTraining, rows: int) -> float:
    """Seconds of one fine-tune that no check stops early."""
    train = parts.train
    sequences = packed(rows, train.tokens_row, how)
    steps = math.ceil(how.epochs * math.ceil(sequences / how.batch_size))
    done = steps * min(how.batch_size, sequences)
    checks = min(how.checks, steps)
    return (
        train.start + rows * train.row + done * train.sequence + checks * (train.check + train.save)
    )


def packed(rows: int, tokens_row: float, how: SimulatedTraining) -> int:
    """Sequences that so many rows make; a row is never split."""
    if not rows or not how.packing or tokens_row > how.max_length / 2:
        return rows
    return max(1, math.ceil(rows * tokens_row / (FILL * how.max_length)))


def jobs_of(
    stages: list[SimulatedStage],
    parts: SimulatedParts,
    how: SimulatedTraining,
    *,
    scorers: int,
    overlap: bool,
    stream: bool = False,
    seed: int = 0,
    durations: Durations | None = None,
) -> list[SimulatedJob]:
    """All jobs of a run, in the order in which they are asked for.

    Args:
        stages: The run.
        parts: What things cost.
        how: Of the fine-tunes.
        scorers: Workers that share the scoring of a shard.
        overlap: Score a shard as soon as it is sampled.
        stream: Engines start the next shard while the last one's tail is decoded.
        seed: Of the completion lengths.
        durations: Of shards, where several runs share them.
    """
    durations = durations or Durations(
        parts.engine, parts.lengths, parts.greedy_lengths, stream=stream
    )
    jobs: list[SimulatedJob] = []
    before: list[int] = []
    since: list[int] = []
    draw = random.Random(seed)
    sampling = scoring = False
    for number, stage in enumerate(stages):
        mine: list[int] = []
        sampled: list[int] = []
        for shard in stage.generate:
            work, drain = durations.of(shard, stage.greedy, draw)
            if not sampling:
                sampling, work = True, work + parts.first
            job = SimulatedJob(
                Worker.ENGINE, work + parts.overhead, number, "generate", stage.iteration
            )
            job.drain, job.needs = drain, list(before)
            sampled.append(len(jobs))
            jobs.append(job)
        for place, shard in enumerate(stage.score):
            score = parts.score
            work = score.shard + shard.rows * score.sample / scorers + parts.overhead
            if not scoring:
                scoring, work = True, work + score.start
            own = len(stage.score) == len(sampled)
            needs = [sampled[place]] if overlap and own else sampled
            mine.append(len(jobs))
            jobs.append(
                SimulatedJob(Worker.SCORER, work, number, "score", needs=list(needs or before))
            )
        if stage.single == FINETUNE:
            work = train_seconds(parts, how, stage.rows) + parts.overhead
            mine.append(len(jobs))
            jobs.append(
                SimulatedJob(Worker.TRAINER, work, number, "finetune", needs=since or before)
            )
        elif stage.single:
            work = parts.once.get(stage.single, 0.0) + parts.overhead
            work += parts.per_sample.get(stage.single, 0.0) * stage.rows
            mine.append(len(jobs))
            jobs.append(
                SimulatedJob(Worker.MAIN, work, number, stage.single, needs=since or before)
            )
        if stage.single or not overlap:
            before, since = (mine + sampled) or before, []
        else:
            since = [*since, *sampled, *mine]
    return jobs
