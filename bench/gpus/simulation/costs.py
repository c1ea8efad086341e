"""What the pieces of a run cost: the numbers that the simulation is fed with.

They are derived from published figures of hardware and models (bench/gpus/_cluster.py), or measured
here (bench/estimates/simulate.py). All times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class EngineParts:
    """One sampling engine with continuous batching.

    A decoding step of b rows takes max(step + row * b, compute * b): reading the weights costs the
    same for one row as for many, reading keys and values and computing grows with the rows, and
    from some batch on arithmetic is the limit.

    Attributes:
        slots: Most sequences decoded at once.
        load: From nothing to the first request being worked on.
        prompt: Prefill of one different prompt; its samples share it.
        step: Of a decoding step, whatever the batch.
        row: Of a decoding step, for each row.
        compute: Of a decoding step, for each row, where arithmetic is the limit.
        shard: Of a request of a shard, whatever is in it.
    """

    slots: int
    load: float
    prompt: float
    step: float
    row: float
    compute: float = 0.0
    shard: float = 0.0

    def step_seconds(self, rows: float) -> float:
        """A decoding step of so many rows."""
        return max(self.step + self.row * rows, self.compute * rows)


@dataclass(frozen=True)
class TrainParts:
    """One fine-tune.

    Attributes:
        start: From the call to the first step, and from the last one to the model in the store.
        row: Tokenising and packing of one row.
        sequence: Of a step, for each packed sequence.
        check: Measuring the validation reward once.
        save: A checkpoint.
        tokens_row: Tokens of a row, prompt and completion.
    """

    start: float
    row: float
    sequence: float
    check: float
    save: float
    tokens_row: float


@dataclass(frozen=True)
class ScoreParts:
    """Checking samples.

    Attributes:
        start: Of the checkers, once in a run.
        sample: Of one sample, on one worker.
        shard: Of a shard, whatever is in it.
    """

    start: float
    sample: float
    shard: float = 0.0


@dataclass(frozen=True)
class SimulatedParts:
    """Everything that a simulation needs to know of a machine, a model and its problems.

    Attributes:
        engine: The sampling engine.
        score: The checkers.
        train: The trainer.
        lengths: Completion lengths in tokens, drawn from with equal chance.
        greedy_lengths: The same of greedy completions.
        overhead: Of every step of the DAG beside its work: Prefect's task, the cache, the journal.
        once: Of the other steps, by the first word of their group (problems, measure, ...).
        per_sample: Of the steps that read all samples (group, measure, select), for each sample.
        first: Once in a run, before the first step: a sandbox, the process that others are
            forked from.
        source: Where the numbers are from, in words.
    """

    engine: EngineParts
    score: ScoreParts
    train: TrainParts
    lengths: tuple[int, ...]
    greedy_lengths: tuple[int, ...]
    overhead: float = 0.0
    once: dict[str, float] = field(default_factory=dict)
    per_sample: dict[str, float] = field(default_factory=dict)
    first: float = 0.0
    source: str = ""
