"""Time and cost of the paper's runs on a cluster, and the shard size that suits it best."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache

from bench.gpus._cluster import RESTART, GpuCluster, PaperTask
from bench.gpus.simulation.costs import EngineParts, SimulatedParts
from bench.gpus.simulation.jobs import (
    Durations,
    SimulatedShard,
    SimulatedStage,
    SimulatedTraining,
    Worker,
    jobs_of,
)
from bench.gpus.simulation.simulate import Servers, SimulatedRun, simulate
from tasks.rows import Json

COUNTS = (8, 16, 32, 64, 128, 256, 512)
# Samples of a shard that are tried.
SHARDS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
SHARD_SAMPLES = 8
# Runs simulated for each number, with failures of their own.
SEEDS = 3
# A failed fine-tune repeats at most so many seconds (resources.checkpoint_minutes).
CHECKPOINT = 300.0
# Slow machines: standard deviation of the logarithm of an engine's speed.
SPREAD = 0.05
PLANNED_BATCH = 32


@dataclass(frozen=True)
class Schedule:
    """How shards go through the workers.

    Attributes:
        overlap: Score a shard while others are sampled.
        stream: An engine starts its next shard during the tail of the last.
        failures: Whether anything fails.
    """

    overlap: bool = True
    stream: bool = False
    failures: bool = True


@dataclass(frozen=True)
class ClusterPlan:
    """One row of the plan.

    Attributes:
        model: Class of the model.
        gpus: How many.
        engines: Sampling engines.
        method: Of fine-tuning; empty: it does not fit.
        hours: From the first step to the last.
        gpu_hours: All GPUs for all that time.
        cost: In the currency of the price.
        sampling: Share of the hours that the run waits for engines.
        scoring: The same for checkers.
        training: The same for trainers.
        use: Share of its engines' time in which they sample, while samples are drawn.
        shard: Samples of the best shard.
        repeats: Jobs that failures made the run repeat.
        bottleneck: What it waits for longest.
    """

    model: str
    gpus: int
    engines: int
    method: str
    hours: float = 0.0
    gpu_hours: float = 0.0
    cost: float = 0.0
    sampling: float = 0.0
    scoring: float = 0.0
    training: float = 0.0
    use: float = 0.0
    shard: int = 0
    repeats: float = 0.0
    bottleneck: str = ""

    def to_json(self) -> Json:
        """Plain data."""
        return asdict(self)


def stages(task: PaperTask, size: int) -> list[SimulatedStage]:
    """Stages of the paper's run with shards of `size` samples."""
    made: list[SimulatedStage] = []

    def add(number: int, name: str, problems: int, samples: int, greedy: bool) -> None:
        shards = tuple(_shards(problems, samples, size))
        made.append(SimulatedStage(number, name, shards, shards, greedy))

    for number in range(task.iterations + 1):
        add(number, "test", task.test, 1, True)
        add(number, "train", task.train, 1, True)
        add(number, "validation", task.validation, 1, True)
        add(number, "pass@k", task.sampled, task.test_samples, False)
        made.append(SimulatedStage(number, "measure", single="measure"))
        if number < task.iterations:
            add(number, "draw", task.problems, task.samples, False)
            made.append(SimulatedStage(number + 1, "select", single="select"))
            rows = task.problems * min(task.cap, task.samples)
            made.append(SimulatedStage(number + 1, "finetune", single="finetune", rows=rows))
    return made


def simulated(
    made: GpuCluster, task: PaperTask, size: int, way: Schedule, seed: int = 0
) -> SimulatedRun:
    """One run, simulated."""
    return _run(made, task, size, way, seed, _durations(made.parts, way))


def planned(
    model: str, made: GpuCluster, task: PaperTask, price: float, way: Schedule
) -> ClusterPlan:
    """The plan for one model on one number of GPUs, with the best shard size.

    Args:
        model: Its name.
        made: The cluster.
        task: The recipe.
        price: Of a GPU and hour.
        way: How shards go.
    """
    row = ClusterPlan(model, made.gpus, made.engines, made.method)
    if not made.engines or not made.method:
        return row
    swept = sweep(made, task, way)
    size = min(swept, key=lambda one: swept[one])
    durations = _durations(made.parts, way)
    results = [_run(made, task, size, way, seed, durations) for seed in range(SEEDS)]
    seconds = sum(result.seconds for result in results) / SEEDS
    waits = {worker: sum(r.waits[worker] for r in results) / SEEDS for worker in Worker}
    busy = sum(result.busy[Worker.ENGINE] for result in results) / SEEDS
    hours = seconds / 3600
    return ClusterPlan(
        model=model,
        gpus=made.gpus,
        engines=made.engines,
        method=made.method,
        hours=hours,
        gpu_hours=hours * made.gpus,
        cost=hours * made.gpus * price,
        sampling=waits[Worker.ENGINE] / seconds,
        scoring=waits[Worker.SCORER] / seconds,
        training=waits[Worker.TRAINER] / seconds,
        use=busy / (made.engines * max(1e-9, waits[Worker.ENGINE])),
        shard=size,
        repeats=sum(result.repeats for result in results) / SEEDS,
        bottleneck=max(waits, key=lambda worker: waits[worker]).value,
    )


def sweep(
    made: GpuCluster, task: PaperTask, way: Schedule, sizes: tuple[int, ...] = SHARDS
) -> dict[int, float]:
    """Seconds of a run by samples of a shard."""
    durations = _durations(made.parts, way)
    return {
        size: sum(_run(made, task, size, way, seed, durations).seconds for seed in range(SEEDS))
        / SEEDS
        for size in sizes
    }


def _durations(parts: SimulatedParts, way: Schedule) -> Durations:
    return _shared(parts.engine, parts.lengths, parts.greedy_lengths, way.stream)


@lru_cache(maxsize=16)
def _shared(
    engine: EngineParts, lengths: tuple[int, ...], greedy: tuple[int, ...], stream: bool
) -> Durations:
    """Clusters of the same engines share what is known of their shards."""
    return Durations(engine, lengths, greedy, stream=stream)


def _run(
    made: GpuCluster, task: PaperTask, size: int, way: Schedule, seed: int, durations: Durations
) -> SimulatedRun:
    how = SimulatedTraining(task.epochs, PLANNED_BATCH, task.max_length, True, 4)
    parts = made.parts
    jobs = jobs_of(
        stages(task, size),
        parts,
        how,
        scorers=1,
        overlap=way.overlap,
        stream=way.stream,
        seed=seed,
        durations=durations,
    )
    hours = made.hours if way.failures else math.inf
    servers = Servers(
        engines=made.engines,
        load=parts.engine.load,
        spread=SPREAD,
        mtbf=3600 * hours / made.engine_gpus,
        trainer_mtbf=3600 * hours / made.gpus,
        restart=RESTART,
        checkpoint=CHECKPOINT,
    )
    return simulate(jobs, servers, seed)


def _shards(problems: int, samples: int, size: int) -> list[SimulatedShard]:
    """A set cut into shards of at most `size` samples, as the product cuts it."""
    step = min(samples, SHARD_SAMPLES)
    block = max(1, size // step)
    blocks = [min(block, problems - at) for at in range(0, problems, block)]
    widths = [min(step, samples - at) for at in range(0, samples, step)]
    return [SimulatedShard(rows, width) for rows in blocks for width in widths]
