"""The E-steps on Ray of `restem bench scale`: one worker, two, and two of which one is lost.

Workers are real Ray nodes of one core, each with its raylet and processes of its own, and each
stays on a core of its own, as a machine would. A cluster has no other machine: Ray's head, the flow
and the servers (Prefect, S3) share the cores of its workers, so that with one worker everything has
one core and with two everything has two. Both clusters stand at once, and the one that is not asked
is idle. Each draws into a store of its own, with the same seeds: the digests must be equal.

What the cores themselves give is measured in the same round: the same work without Ray and
Prefect by one process on one core, and half of it by each of two on two.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from bench._others import Others
from bench.sampling._local_ray import LocalRay, local_ray
from bench.sampling._scale_draws import FLOW, Alone, Draws, Pairs
from tasks.errors import StepError

SHAPE = (
    "data.train_limit=256",
    "data.test_limit=16",
    "data.validation=16",
    "resources.threads=1",
    "resources.score_workers=1",
    "resources.device=cpu",
    # Shards of seconds: tasks, Ray and Prefect's server share these cores with the engines, and
    # with shards of half a second they would be a third of the work.
    "resources.shard_problems=64",
    "resources.shard_samples=32",
)
# Loads the policy into both engines.
WARM_SAMPLES = 32
# Of the samples, what the cores alone are measured with.
CEILING_PART = 2
# Of the time of an undisturbed E-step, when a worker is lost.
LOST_AT = 0.4


def measure_ray(name: str, home: Path, rounds: int, samples: int, store: str = "") -> Pairs:
    """Seconds on one worker over those on two, for each round; then a draw that loses a worker.

    Args:
        name: Of this way, to print.
        home: RESTEM_HOME of the E-steps; under PREFECT_API_URL a server answers.
        rounds: Pairs.
        samples: For each of 256 problems.
        store: Address under which stores are made; empty: on this machine.
    """
    cores = sorted(os.sched_getaffinity(0))[:2]
    servers = psutil.Process().children(recursive=True)
    base = store or str(home / "stores")
    pairs, spent = Pairs(), 0.0
    with contextlib.ExitStack() as stack:
        clusters, draws = dict[int, LocalRay](), dict[int, Draws]()
        for count in (1, 2):
            own, mine = home / str(count), cores[:count]  # equal runs in one home would wait
            clusters[count] = stack.enter_context(local_ray(count, own, mine))
            changes = [*SHAPE, *_on(clusters[count], count, base)]
            draws[count] = stack.enter_context(Draws(FLOW, changes, own, set(mine)))
        for one in draws.values():
            one.ask(0, WARM_SAMPLES)
        alone = stack.enter_context(Alone(SHAPE, home, cores))
        for one in draws.values():
            one.answer()

        def round_of(turn: int) -> tuple[float, float, float]:
            found = {}
            for count in (1, 2)[:: 1 if turn % 2 else -1]:
                pin(servers, set(cores[:count]))
                found[count] = draws[count].draw(turn, samples)
            if found[1].digests != found[2].digests:
                raise StepError("one worker and two made unlike samples")
            ceiling = alone.ratio(turn, samples // CEILING_PART)
            return found[1].seconds, found[2].seconds, ceiling

        for turn in range(1, rounds + 1):
            with Others(home) as others:
                single, spent, ceiling = round_of(turn)
            pairs.add(single / spent, ceiling)
            print(
                f"{name}: one worker {single:.1f} s, two workers {spent:.1f} s: "
                f"{single / spent:.2f}; the cores alone: {ceiling:.2f}; {others}",
                flush=True,
            )
        pin(servers, set(cores))
        asked = rounds + 1, samples // 2
        _lose_one(name, clusters[2], draws, asked, LOST_AT * spent / 2)
    return pairs


def _lose_one(
    name: str, cluster: LocalRay, draws: dict[int, Draws], asked: tuple[int, int], after: float
) -> None:
    """A draw by two workers that loses one after some seconds, against that by one worker."""
    expected = draws[1].draw(*asked)
    draws[2].ask(*asked)
    time.sleep(after)
    cluster.kill(0)
    lost = draws[2].answer()
    different = sum(a != b for a, b in zip(expected.digests, lost.digests, strict=True))
    print(
        f"{name}: a worker lost after {after:.1f} of {lost.seconds:.1f} s: "
        f"{len(lost.digests)} artifacts, {different} with another digest",
        flush=True,
    )
    if different:
        raise SystemExit(1)


def pin(processes: Iterable[psutil.Process], cores: set[int]) -> None:
    """Keep processes, all threads of them, on these cores."""
    for process in processes:
        with contextlib.suppress(OSError, psutil.Error):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)


def _on(cluster: LocalRay, workers: int, base: str) -> list[str]:
    return [
        f"resources.ray_address={cluster.address}",
        f"resources.engines={workers}",
        f"resources.store={base}/{workers}",
    ]
