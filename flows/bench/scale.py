"""`restem bench scale`: sampling plus scoring on a Ray cluster of two workers against one.

Workers have one core each and are real Ray nodes, each with its raylet and processes of its own;
both clusters stand at once, and the one that is not asked is idle. A round is a whole run of one
iteration by `restem run`, with a fresh seed, on each; measured is its E-step, from the first sample
asked for to the last verdict, with engines loaded by the evaluation before it. At last a run on two
workers loses one of them on the way, and its digests are compared with those of an undisturbed run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flows.bench._local_ray import LocalRay, local_ray
from flows.bench.resume import ROOT, SMALL, digests
from flows.server import prefect_server

SHAPE = (
    *SMALL,
    "iterations=1",
    "data.train_limit=256",
    "evaluation.sampled_problems=8",
    "evaluation.train_problems=8",
    "resources.threads=1",
    "resources.score_workers=1",
    "resources.device=cpu",
    "resources.shard_problems=32",
    "resources.shard_samples=16",
)
# In the E-step the first sample is asked for before any worker is lost, and the last much later.
LOST_AFTER_SHARDS = 4


def run(rounds: int | str = 5, samples: int | str = 96) -> float:
    """Print the seconds of each, and the ratio.

    Args:
        rounds: Pairs of runs.
        samples: For each of 192 problems.

    Returns:
        Median over the rounds of the seconds on one worker over those on two.
    """
    changes = [f"sampling.samples={samples}"]
    with tempfile.TemporaryDirectory(prefix="restem-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        os.environ["RESTEM_HOME"] = name
        with prefect_server(), local_ray(1, home) as one, local_ray(2, home) as two:
            pairs = []
            for turn in range(1, int(rounds) + 1):
                took = {}
                order = [(one, 1), (two, 2)]
                for cluster, workers in order[:: 1 if turn % 2 else -1]:
                    _run(home, cluster, workers, [*changes, f"seed={10 * turn + workers}"])
                    took[workers] = _sampling_seconds(home)
                pairs.append(took[1] / took[2])
                print(
                    f"one worker {took[1]:.1f} s, two workers {took[2]:.1f} s: {pairs[-1]:.2f}",
                    flush=True,
                )
            _lose_one(home / "lost", two, changes)
    ratio = statistics.median(pairs)
    print(f"scale ratio={ratio:.3f}")
    return ratio


def _lose_one(home: Path, cluster: LocalRay, changes: list[str]) -> None:
    """A run that loses a worker, against one on this machine alone."""
    calm = home.with_name("calm")
    flags = [*changes, "seed=7"]
    if _start(calm, [*SHAPE, *flags]).wait():
        raise SystemExit("the undisturbed run failed")
    process = _start(home, [*SHAPE, *flags, *_on(cluster, 2)])
    while process.poll() is None and _drawn(home) < LOST_AFTER_SHARDS:
        time.sleep(0.1)
    cluster.kill(0)
    if process.wait():
        raise SystemExit("the run that lost a worker failed")
    expected, found = digests(calm), digests(home)
    different = [
        key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)
    ]
    print(f"a worker lost: {len(expected)} artifacts, {len(different)} with another digest")
    if different:
        raise SystemExit(1)


def _on(cluster: LocalRay, workers: int) -> list[str]:
    return [f"resources.ray_address={cluster.address}", f"resources.engines={workers}"]


def _run(home: Path, cluster: LocalRay, workers: int, changes: list[str]) -> None:
    if _start(home, [*SHAPE, *changes, *_on(cluster, workers)]).wait():
        raise SystemExit(f"a run failed (logs: {home})")


def _start(home: Path, changes: list[str]) -> subprocess.Popen[bytes]:
    flags = [part for change in changes for part in ("--set", change)]
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", "math-demo", *flags],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )


def _steps(home: Path) -> list[dict[str, float | str]]:
    """Lines of the run that was started last."""
    journals = sorted((home / "runs").glob("*/steps.jsonl"), key=lambda p: p.stat().st_mtime)
    lines = journals[-1].read_text().splitlines() if journals else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _sampling_seconds(home: Path) -> float:
    """From the first sample asked for to the last verdict of the E-step."""
    steps = [one for one in _steps(home) if str(one["step"]).endswith(" draw")]
    begin = min(float(one["ended"]) - float(one["took"]) for one in steps)
    return max(float(one["ended"]) for one in steps) - begin


def _drawn(home: Path) -> int:
    return sum(one["step"] == "score draw" for one in _steps(home))
