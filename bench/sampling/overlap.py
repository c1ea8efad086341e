"""`restem bench overlap`: sampling with scoring beside it, against each of the two alone.

Sampling has one core here and scoring the other, as they would have the GPU and the processor of a
larger machine. The same shards go through the same lanes three ways: sampled only, then scored
only, and (with other seeds) both. Math answers go to the checker, programs to the sandbox. The
engine is loaded and every pool started before.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterable

from flows.config.rest_em import load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.orchestrator.pipeline import Chain
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Draw, Shards
from tasks.policy.step import base_call
from tasks.problems.step import load_splits, problems_call

MACHINE = ("resources.threads=1", "resources.score_workers=1", "resources.device=cpu")
# Samples a problem, and changes: twelve shards or more, so that the first one's sampling and the
# last one's scoring, which nothing can overlap with, are a small part. A program takes a hundred
# times as long to check as an answer, so there are fewer of them.
SIZES = {
    "math": (32, ("resources.shard_problems=64", "resources.shard_samples=8")),
    "code": (
        8,
        ("data.train_limit=150", "resources.shard_problems=50", "resources.shard_samples=2"),
    ),
}


def run(domains: str = "math,code", rounds: int | str = 5) -> float:
    """Print the seconds of each way, and the ratios.

    Args:
        domains: Of math and code.
        rounds: Pairs of turns for each.

    Returns:
        The worst domain's median of both together over the slower of the two alone.
    """
    ratios = {}
    before = os.environ.get("RESTEM_HOME")
    with tempfile.TemporaryDirectory(prefix="restem-bench-", ignore_cleanup_errors=True) as home:
        os.environ["RESTEM_HOME"] = home
        try:
            for domain in domains.split(","):
                ratios[domain] = _measure(domain, int(rounds))
        finally:
            os.environ.pop("RESTEM_HOME")
            if before is not None:
                os.environ["RESTEM_HOME"] = before
    for domain, ratio in ratios.items():
        print(f"overlap {domain} ratio={ratio:.3f}")
    worst = max(ratios.values())
    print(f"overlap ratio={worst:.3f}")
    return worst


def _measure(domain: str, rounds: int) -> float:
    samples, changes = SIZES[domain]
    config = load_config(f"{domain}-demo", [*MACHINE, *changes])
    pairs = []
    with DirectCaller(config, isolate=True) as caller:
        problems = caller.call(problems_call(config.data), 0, "problems")
        policy = caller.call(base_call(config.model), 0, "base model")
        sampler = Sampler(
            caller,
            problems,
            load_splits(caller.store.path(problems)),
            prompt=config.model.prompt,
            engine=config.sampling.engine,
            dtype=config.model.dtype,
            execution=config.execution,
            resources=config.resources,
        )
        sampling = {
            "temperature": config.sampling.temperature,
            "top_k": config.sampling.top_k,
            "top_p": config.sampling.top_p,
            "max_tokens": config.sampling.max_tokens,
        }

        def chains(seed: int, count: int = samples) -> list[Chain]:
            draw = Draw(sampling, seed, sampler.shots(config.model.shots), count)
            return sampler.chains(Shards(), 0, "draw", policy, "train", draw)

        def timed(work: Iterable[Chain]) -> float:
            start = time.perf_counter()
            caller.drive(work)
            return time.perf_counter() - start

        timed(chains(0, config.resources.shard_samples))  # loads and starts everything
        for turn in range(1, rounds + 1):
            seed = 2 * turn
            alone, both = [chains(seed), chains(seed)], 0.0
            if turn % 2:  # the other way round each time, so that a drift favours neither
                both = timed(chains(seed + 1))
            sampled = timed(map(_sampled_only, alone[0]))
            scored = timed(alone[1])
            if not turn % 2:
                both = timed(chains(seed + 1))
            pairs.append(both / max(sampled, scored))
            print(
                f"{domain} {len(alone[0])} shards: sampling {sampled:.1f} s, scoring "
                f"{scored:.1f} s, both {both:.1f} s: {pairs[-1]:.3f}",
                flush=True,
            )
    return statistics.median(pairs)


def _sampled_only(chain: Chain) -> Chain:
    """The first step of a chain."""
    yield next(chain)
