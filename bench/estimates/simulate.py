"""`restem bench simulate`: the simulation of the DAG against a real run of the same shape.

The simulation plans runs on GPUs that are not here (bench/gpus); what it makes of the DAG is tried
on one that is. Its parts are measured by a probe before the run and by one after it, each in a home
of its own, for a machine's speed drifts; the prediction is the mean of both. The stages are printed
side by side.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench._others import Others
from bench.estimates._estimates import BenchShape, RunTaken, probe
from bench.estimates._estimates import run as take
from bench.gpus.simulation.costs import EngineParts, ScoreParts, SimulatedParts, TrainParts
from bench.gpus.simulation.jobs import SimulatedShard, SimulatedStage, SimulatedTraining, jobs_of
from bench.gpus.simulation.simulate import Servers, simulate
from flows.config.rest_em import RestEmConfig, load_config
from flows.estimate.costs import Costs, single_name
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
GREEDY = ("test", "train", "validation")
# One sample is so many steps of the simulated engine, which then tells greedy samples from others.
STEPS = 1000


@dataclass(frozen=True)
class SimulatedTimes:
    """What the simulation says of a run: seconds of each stage of the estimate."""

    stages: dict[tuple[int, str], float]
    seconds: float


def run(rounds: str = "1", *changes: str) -> float:
    """Print stages predicted and taken, and the median ratio of the whole.

    Args:
        rounds: Runs, each between two probes.
        changes: `key=value` changes to the configuration.

    Returns:
        SimulatedTimes over real time, from the first step to the last.
    """
    shape = BenchShape("math", "math-demo", (*CHANGES, *changes))
    ratios = []
    with tempfile.TemporaryDirectory(prefix="restem-bench-") as home:
        for number in range(1, int(rounds) + 1):
            with Others(Path(home)) as others:
                before, took, after = _round(shape, home)
            for key, early in before.stages.items():
                mean = (early + after.stages.get(key, early)) / 2
                print(f"{key[0]} {key[1]:<12} {mean:8.2f} s {took.stages.get(key, 0.0):8.2f} s")
            simulated = (before.seconds + after.seconds) / 2
            ratios.append(simulated / took.seconds)
            print(
                f"{number}: simulated {simulated:.1f} s ({before.seconds:.1f} before, "
                f"{after.seconds:.1f} after), took {took.seconds:.1f} s, "
                f"ratio {ratios[-1]:.3f}; {others}",
                flush=True,
            )
    ratio = statistics.median(ratios)
    print(f"simulate ratio={ratio:.3f}")
    return ratio


def _round(shape: BenchShape, home: str) -> tuple[SimulatedTimes, RunTaken, SimulatedTimes]:
    """A probe, the run, and a probe in another home."""
    with (
        tempfile.TemporaryDirectory(dir=home) as first,
        tempfile.TemporaryDirectory(dir=home) as second,
    ):
        before = _simulated(shape, Path(first))
        took = take(shape, Path(first))
        return before, took, _simulated(shape, Path(second))


def _simulated(shape: BenchShape, folder: Path) -> SimulatedTimes:
    estimate = probe(shape, folder)
    [path] = (folder / "costs").glob("*.json")
    costs = Costs.from_json(json.loads(path.read_text(encoding="utf-8"))["costs"])
    config = load_config(shape.config, list(shape.changes))
    return simulated_times(estimate["lines"], costs, config)


def simulated_times(lines: list[Json], costs: Costs, config: RestEmConfig) -> SimulatedTimes:
    """What the simulation says of a run.

    Args:
        lines: Of an estimate of it.
        costs: As measured.
        config: Of the run.
    """
    stages = _stages(lines)
    how = SimulatedTraining(config.finetune.epochs, 1, 1, False, config.finetune.checks)
    jobs = jobs_of(stages, simulated_parts(costs, config), how, scorers=1, overlap=True)
    result = simulate(jobs, Servers(load=costs.sampling.load))
    keys = [(stage.iteration, stage.name) for stage in stages]
    return SimulatedTimes(dict(zip(keys, result.stages, strict=True)), result.seconds)


def _stages(lines: list[Json]) -> list[SimulatedStage]:
    """Stages of the simulation from the lines of an estimate."""
    stages: list[SimulatedStage] = []
    before = 0
    for line in lines:
        number, name, count = line["iteration"], line["step"], line["shards"]
        if count:
            before = line["samples"] + (before if stages and stages[-1].generate else 0)
            shards = (SimulatedShard(line["samples"] // count, 1),) * count
            stages.append(SimulatedStage(number, name, shards, shards, name in GREEDY))
        else:
            rows = line["rows"] if name == "finetune" else before
            stages.append(SimulatedStage(number, name, single=single_name(name), rows=rows))
    return stages


def simulated_parts(costs: Costs, config: RestEmConfig) -> SimulatedParts:
    """What the simulation is fed with, from measured costs.

    Args:
        costs: As measured.
        config: Of the run.
    """
    sampling, training = costs.sampling, costs.training
    greedy = round(STEPS * sampling.greedy / max(sampling.sampled, 1e-9))
    return SimulatedParts(
        engine=EngineParts(
            1, sampling.load, 0.0, sampling.sampled / STEPS, 0.0, shard=sampling.shard
        ),
        score=ScoreParts(0.0, costs.scoring.each, costs.scoring.fixed),
        train=TrainParts(
            training.start,
            training.row * config.finetune.epochs,
            0.0,
            training.check.seconds(config.data.validation),
            0.0,
            training.tokens,
        ),
        lengths=(STEPS,),
        greedy_lengths=(greedy,),
        once={name: cost.fixed for name, cost in costs.single.items()},
        per_sample={name: cost.each for name, cost in costs.single.items()},
        first=sampling.first,
    )


if __name__ == "__main__":
    run(*sys.argv[1:])
