"""What a tracker is told of a run: one form for all of them.

| series                                           | by             |
|--------------------------------------------------|----------------|
| eval/METRIC, eval/METRIC_low, eval/METRIC_high   | iteration      |
| transfer/BENCHMARK, with the same bounds         | iteration      |
| samples/accepted                                 | iteration      |
| cost/NAME                                        | iteration      |
| train/iteration_N/loss, train/iteration_N/reward | optimiser step |
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.facts import Facts

# The prefix of the series by optimiser step.
TRAIN = "train/"


@dataclass(frozen=True)
class Point(Facts):
    """Values of several series at an iteration or, below TRAIN, at an optimiser step."""

    step: int
    values: dict[str, float]


@dataclass(frozen=True)
class TrackedRun(Facts):
    """A run.

    Attributes:
        run: Its id, which is its name in every tracker.
        config: Its fields with dotted names, as text.
        report: Path of its page.
        iterations: By iteration, in order.
        training: By optimiser step, one fine-tune after the other.
    """

    run: str
    config: dict[str, str]
    report: str
    iterations: list[Point]
    training: list[Point]
