"""The jobs of a run and what each waits for: the DAG that the simulation works through.

A set of samples (test, draw, ...) is a stage. Its shards are generated and scored; in turn (all
are generated, then all are scored) or overlapped (a shard is scored as soon as it is there). The
next stage waits for the one before, for so does the loop (flows/loop.py).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

from flows.capacity.batching import drawn, shard_seconds, steady_seconds
from flows.capacity.parts import Parts


class Lane(StrEnum):
    """Who does a job."""

    ENGINE = "engines"
    SCORER = "scorers"
    TRAINER = "trainers"
    MAIN = "main"


@dataclass(frozen=True)
class Shard:
    """A block of problems by a block of sample indices."""

    problems: int
    samples: int

    @property
    def rows(self) -> int:
        """Samples in it."""
        return self.problems * self.samples


@dataclass(frozen=True)
class Stage:
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
    generate: tuple[Shard, ...] = ()
    score: tuple[Shard, ...] = ()
    greedy: bool = False
    single: str = ""
    rows: int = 0


@dataclass(frozen=True)
class Training:
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
class Job:
    """One piece of work.

    Attributes:
        lane: Who does it.
        work: Seconds of it, on a server of its own.
        stage: Index of its stage.
        step: `generate`, `score` or the name of a single step.
        policy: Iteration whose policy is loaded for it.
        drain: Seconds more where no job follows it on its engine (streaming).
        needs: Jobs that must end before; indices.
    """

    lane: Lane
    work: float
    stage: int
    step: str
    policy: int = -1
    drain: float = 0.0
    needs: list[int] = field(default_factory=list)


def train_seconds(parts: Parts, how: Training, rows: int) -> float:
    """Seconds of one fine-tune that no check stops early."""
    train = parts.train
    sequences = packed(rows, train.tokens_row, how)
    steps = -(-how.epochs * -(-sequences // how.batch_size) // 1)
    done = steps * min(how.batch_size, sequences)
    checks = min(how.checks, steps)
    return train.start + rows * train.row + done * train.sequence + checks * (
        train.check + train.save
    )


def packed(rows: int, tokens_row: float, how: Training) -> int:
    """Sequences that so many rows make."""
    if not how.packing:
        return rows
    each = max(1, int(how.max_length // tokens_row)) if tokens_row else 1
    # Rows of unlike lengths fill a sequence nearly whole, but a row is never split.
    return max(1, -(-rows // each), round(rows * tokens_row / how.max_length)) if rows else 0


def jobs_of(
    stages: list[Stage],
    parts: Parts,
    how: Training,
    *,
    scorers: int,
    overlap: bool,
    stream: bool = False,
    seed: int = 0,
) -> list[Job]:
    """All jobs of a run, in the order in which they are asked for.

    Args:
        stages: The run.
        parts: What things cost.
        how: Of the fine-tunes.
        scorers: Workers that share the scoring of a shard.
        overlap: Score a shard as soon as it is sampled.
        stream: Engines start the next shard while the last one's tail is decoded.
        seed: Of the completion lengths.
    """
    jobs: list[Job] = []
    before: list[int] = []
    draw = random.Random(seed)
    sampling = scoring = False
    for number, stage in enumerate(stages):
        mine: list[int] = []
        sampled: list[int] = []
        lengths = parts.greedy_lengths if stage.greedy else parts.lengths
        for shard in stage.generate:
            drew = drawn(lengths, shard.rows, draw)
            work = shard_seconds(parts.engine, shard.problems, drew)
            drain = 0.0
            if stream:
                steady = min(work, steady_seconds(parts.engine, shard.problems, drew))
                work, drain = steady, work - steady
            if not sampling:
                sampling, work = True, work + parts.first
            job = Job(Lane.ENGINE, work + parts.overhead, number, "generate", stage.iteration)
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
            jobs.append(Job(Lane.SCORER, work, number, "score", needs=list(needs or before)))
        if stage.single == "finetune":
            work = train_seconds(parts, how, stage.rows) + parts.overhead
            mine.append(len(jobs))
            jobs.append(Job(Lane.TRAINER, work, number, "finetune", needs=list(before)))
        elif stage.single:
            work = parts.once.get(stage.single, 0.0) + parts.overhead
            work += parts.per_sample.get(stage.single, 0.0) * stage.rows
            mine.append(len(jobs))
            jobs.append(Job(Lane.MAIN, work, number, stage.single, needs=list(before)))
        before = (mine + sampled) or before
    return jobs
