"""`restem bench estimate`: what `--dry-run --probe` says a run will take, and what it then takes.

Three configurations, each in a fresh RESTEM_HOME: the math demo and the code demo with fewer
problems, and one with more samples and one iteration. A probe, then the run. Compared is the time
from the first step to the last, which `restem status` says; that of the whole command, with the
start of Prefect's server in it, is beside.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from bench._others import Others
from bench.estimates._estimates import BenchShape, RunTaken, probe
from bench.estimates._estimates import run as take
from tasks.rows import Json
from tests.small import SMALL

CODE = (
    *(change for change in SMALL if "majority" not in change and "pass_k" not in change),
    "evaluation.pass_k=[1,4]",
)
MANY = (
    "iterations=1",
    "data.train_limit=400",
    "data.test_limit=256",
    "data.validation=64",
    "sampling.samples=32",
    "evaluation.sampled_problems=64",
    "evaluation.train_problems=64",
    "resources.shard_problems=200",
)
SHAPES = (
    BenchShape("math", "math-demo", SMALL),
    BenchShape("code", "code-demo", CODE),
    BenchShape("many samples", "math-demo", MANY),
)


def run(rounds: str = "1", only: str = "") -> float:
    """Print the pairs, and the configuration whose estimate is furthest from its time.

    Args:
        rounds: Probes and runs of each configuration.
        only: Name of one configuration; empty: all.

    Returns:
        The worst median ratio of estimate to time, as a distance from 1.
    """
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="restem-bench-") as home:
        for number in range(1, int(rounds) + 1):
            for shape in SHAPES:
                if only and shape.name != only:
                    continue
                with Others(Path(home)) as others:
                    made, took = _round(shape, home)
                ratio = made["seconds"] / took.seconds
                ratios.setdefault(shape.name, []).append(ratio)
                print(
                    f"{number}: {shape.name}: estimated {made['seconds']:.1f} s, took "
                    f"{took.seconds:.1f} s, ratio {ratio:.3f}; with start {made['total']:.1f} and "
                    f"{took.wall:.1f} s, {made['total'] / took.wall:.3f}; {others}",
                    flush=True,
                )
    middle = {name: statistics.median(found) for name, found in ratios.items()}
    for name, ratio in middle.items():
        print(f"{name}: median ratio {ratio:.3f}")
    worst = max(abs(ratio - 1.0) for ratio in middle.values())
    print(f"estimate worst={worst:.3f}")
    return worst


def _round(shape: BenchShape, home: str) -> tuple[Json, RunTaken]:
    """A probe, and the run."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        return probe(shape, Path(folder)), take(shape, Path(folder))


if __name__ == "__main__":
    run(*sys.argv[1:])
