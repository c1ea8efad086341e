"""The runs on Ray of `restem bench scale`: one worker, two workers, and two of which one is lost.

Workers have one core each and are real Ray nodes, each with its raylet and processes of its own;
both clusters stand at once, and the one that is not asked is idle. A round is a whole run of one
iteration by `restem run`, with a fresh seed, on each; measured is its E-step, from the first sample
asked for to the last verdict, with engines loaded by the evaluation before it. Every run has its
own store, for an evaluation that is found loads no engine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from flows.bench._local_ray import LocalRay, local_ray
from flows.bench.resume import ROOT, SMALL

SHAPE = (
    *SMALL,
    "iterations=1",
    "data.train_limit=256",
    "evaluation.sampled_problems=8",
    "evaluation.train_problems=8",
    "resources.threads=1",
    "resources.score_workers=1",
    "resources.device=cpu",
    # Shards of seconds: tasks, Ray and Prefect's server share these two cores with the engines, and
    # with shards of half a second they would be a third of the work.
    "resources.shard_problems=64",
    "resources.shard_samples=32",
)
# In the E-step the first sample is asked for before any worker is lost, and the last much later.
LOST_AFTER_SHARDS = 4


def measure(name: str, home: Path, rounds: int, samples: int, store: str = "") -> list[float]:
    """Seconds on one worker over those on two, for each round; then a run that loses a worker.

    Args:
        name: Of this way, to print.
        home: RESTEM_HOME of the runs; under PREFECT_API_URL a server answers.
        rounds: Pairs of runs.
        samples: For each of 256 problems.
        store: Address under which stores are made; empty: on this machine.
    """
    base = store or str(home / "stores")
    pairs = []
    with local_ray(1, home) as one, local_ray(2, home) as two:
        for turn in range(1, rounds + 1):
            took = {}
            order = [(one, 1), (two, 2)]
            for cluster, workers in order[:: 1 if turn % 2 else -1]:
                changes = [f"sampling.samples={samples}", f"seed={10 * turn + workers}"]
                _run(home, cluster, workers, [*changes, f"resources.store={base}/{changes[1]}"])
                took[workers] = _sampling_seconds(home)
            pairs.append(took[1] / took[2])
            print(
                f"{name}: one worker {took[1]:.1f} s, two workers {took[2]:.1f} s: {pairs[-1]:.2f}",
                flush=True,
            )
        _lose_one(name, home, two, [f"sampling.samples={samples}", "seed=7"], f"{base}/lost")
    return pairs


def _lose_one(name: str, home: Path, cluster: LocalRay, changes: list[str], store: str) -> None:
    """A run that loses a worker, against one on this machine alone with a store of its own."""
    calm, lost = home / "calm", home / "lost"
    if _start(calm, [*SHAPE, *changes]).wait():
        raise SystemExit("the undisturbed run failed")
    on = [*_on(cluster, 2), f"resources.store={store}"]
    process = _start(lost, [*SHAPE, *changes, *on])
    while process.poll() is None and _drawn(lost) < LOST_AFTER_SHARDS:
        time.sleep(0.1)
    cluster.kill(0)
    if process.wait():
        raise SystemExit("the run that lost a worker failed")
    expected, found = _digests(calm), _digests(lost)
    different = {k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)}
    print(
        f"{name}: a worker lost: {len(expected)} artifacts, {len(different)} with another digest",
        flush=True,
    )
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


def _digests(home: Path) -> dict[str, str]:
    """Digest of every artifact of the run that was started last."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "status", "latest", "--json"],
        cwd=ROOT,
        env={**os.environ, "RESTEM_HOME": str(home)},
        capture_output=True,
        check=True,
    )
    return {step["artifact"]: step["digest"] for step in json.loads(done.stdout)["steps"]}


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
