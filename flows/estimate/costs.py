"""What the steps of a run cost on this machine: what an estimate is made of.

They are read off a journal (flows/estimate/measure.py). All times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.estimate.fit import LinearCost
from tasks.dag.step_names import COMPARE_ANSWERS
from tasks.facts import Facts


@dataclass(frozen=True)
class SamplingCosts:
    """Seconds of sampling, with as many shards in flight as a run has.

    Attributes:
        load: Of a policy, before its first sample.
        shard: Of a shard, whatever is in it.
        greedy: Of a greedy sample.
        sampled: Of another one.
        first: Once in a run: the sandbox, the process that others are forked from.
        greedy_tokens: Tokens of a greedy sample.
        sampled_tokens: The same of another one.
    """

    load: float
    shard: float
    greedy: float
    sampled: float
    first: float
    greedy_tokens: float
    sampled_tokens: float


@dataclass(frozen=True)
class TrainingCosts:
    """Seconds of a fine-tune.

    Attributes:
        start: From the call to the first step, and from the last one to the model in the store.
        row: Of one row in one epoch.
        check: Of measuring the validation reward, and a checkpoint, by validation problems.
        tokens: Tokens of a row, prompt and completion.
    """

    start: float
    row: float
    check: LinearCost
    tokens: float

    def seconds(self, rows: float, checks: int, validation: int) -> float:
        """Of one fine-tune that no check stops early.

        Args:
            rows: Training rows, those of every epoch counted.
            checks: Measurements of the validation reward.
            validation: Problems of each.
        """
        return self.start + rows * self.row + checks * self.check.seconds(validation)


@dataclass(frozen=True)
class Costs(Facts):
    """Everything that an estimate knows of a machine, a model and its problems.

    Attributes:
        sampling: The engine.
        scoring: A shard, by its samples.
        training: The trainer.
        single: The other steps by the first word of their group (measure, select, ...), by the
            samples of the sets before them.
        keep: Share of the samples that become training rows, before the cap, by problem seen.
        start: From the command to the first step of the flow; 0: not known.
        source: Where the numbers are from, in words.
    """

    sampling: SamplingCosts
    scoring: LinearCost
    training: TrainingCosts
    single: dict[str, LinearCost]
    keep: list[float]
    start: float = 0.0
    source: str = ""


def single_name(group: str) -> str:
    """By what the cost of a step without shards is kept: `select, step 2` is a select."""
    if group.startswith(COMPARE_ANSWERS):  # one pair a problem, where labels have several
        return COMPARE_ANSWERS
    return group.split()[0].strip(",")
