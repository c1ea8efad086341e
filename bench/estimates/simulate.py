"""`restem bench simulate`: the simulation of the DAG against a real run of the same shape.

The parts are measured by a probe before the run and by one after it, each in a home of its own, for
a machine's speed drifts; the prediction is the mean of both. The stages are printed side by side.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from bench._others import Others
from bench.estimates._estimates import Run, Shape, probe
from bench.estimates._estimates import run as take
from tasks.rows import Json

# About half a minute of work: several shards of each set, two iterations.
CHANGES = (
    "iterations=2",
    "data.train_limit=600",
    "data.test_limit=400",
    "data.validation=64",
    "sampling.samples=16",
    "evaluation.sampled_problems=100",
    "evaluation.train_problems=100",
    "resources.shard_problems=200",
    "resources.shard_samples=8",
)
SHAPE = Shape("math", "math-demo", CHANGES)


def run(rounds: str = "1", *changes: str) -> float:
    """Print stages predicted and taken, and the median ratio of the whole.

    Args:
        rounds: Runs, each between two probes.
        changes: `key=value` changes to the configuration.

    Returns:
        Simulated over real time, from the first step to the last.
    """
    shape = Shape("math", "math-demo", (*CHANGES, *changes))
    ratios = []
    with tempfile.TemporaryDirectory(prefix="restem-bench-") as home:
        for number in range(1, int(rounds) + 1):
            with Others(Path(home)) as others:
                before, took, after = _round(shape, home)
            for early, late in zip(before["lines"], after["lines"], strict=True):
                key = early["iteration"], early["step"]
                mean = (early["seconds"] + late["seconds"]) / 2
                print(f"{key[0]} {key[1]:<12} {mean:8.2f} s {took.stages.get(key, 0.0):8.2f} s")
            simulated = (before["seconds"] + after["seconds"]) / 2
            ratios.append(simulated / took.seconds)
            print(
                f"{number}: simulated {simulated:.1f} s ({before['seconds']:.1f} before, "
                f"{after['seconds']:.1f} after), took {took.seconds:.1f} s, "
                f"ratio {ratios[-1]:.3f}; {others}",
                flush=True,
            )
    ratio = statistics.median(ratios)
    print(f"simulate ratio={ratio:.3f}")
    return ratio


def _round(shape: Shape, home: str) -> tuple[Json, Run, Json]:
    """A probe, the run, and a probe in another home."""
    with (
        tempfile.TemporaryDirectory(dir=home) as first,
        tempfile.TemporaryDirectory(dir=home) as second,
    ):
        before = probe(shape, Path(first))
        took = take(shape, Path(first))
        return before, took, probe(shape, Path(second))


if __name__ == "__main__":
    run(*sys.argv[1:])
