"""`restem bench engines`: greedy shards with several engines against one, in turns in the same run.

A greedy shard asks once for each of 256 problems, as every evaluation does. Each engine has a core
of its own (`resources.threads` are shared out), loading is not counted, and two shards are under
way at once, as in a run. On a machine with fewer free cores than engines the ratio says little.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flows.machines.local import IN_FLIGHT
from tasks.decoding.request import Completions, Sampling
from tasks.generate.engine import open_engine
from tasks.generate.replicas import ChildEngine
from tasks.paths import MODELS
from tasks.processes.child import close_fork_server
from tasks.prompts import load_template
from tasks.settings import Resources

PROBLEMS = 256
MODEL, TEMPLATE = "tiny-math", "tiny_math"
GREEDY = Sampling(temperature=0.0, max_tokens=64, stop=load_template(TEMPLATE).stop)


def run(engines: int | str = 2, shards: int | str = 4, rounds: int | str = 5) -> float:
    """Print samples a second of both, and the ratio.

    Args:
        engines: Of the way that is measured.
        shards: Of 256 problems each, in a round.
        rounds: Pairs of turns.

    Returns:
        Speed with several engines over that with one: the median of the pairs.
    """
    pairs = []
    with tempfile.TemporaryDirectory(prefix="restem-bench-") as scratch:
        one, several = _opened(1, Path(scratch)), _opened(int(engines), Path(scratch))
        try:
            for engine in (one, several):  # loads
                _shard(engine, -1)
            for turn in range(int(rounds)):
                places = range(turn * int(shards), (turn + 1) * int(shards))
                speeds = dict[str, float]()
                made = dict[str, list[Completions]]()
                ways = [("one", one), ("several", several)]
                for name, engine in ways[:: 1 if turn % 2 else -1]:
                    began = time.perf_counter()
                    with ThreadPoolExecutor(IN_FLIGHT) as threads:
                        made[name] = list(threads.map(lambda n, e=engine: _shard(e, n), places))
                    speeds[name] = PROBLEMS * int(shards) / (time.perf_counter() - began)
                pairs.append(speeds["several"] / speeds["one"])
                print(
                    f"greedy: one engine {speeds['one']:.0f}, {engines} engines "
                    f"{speeds['several']:.0f} samples a second: {pairs[-1]:.2f}, "
                    f"{_equal(made['one'], made['several'])} of {PROBLEMS * int(shards)} equal",
                    flush=True,
                )
        finally:
            one.close()
            several.close()
            close_fork_server()
    ratio = statistics.median(pairs)
    print(f"engines ratio={ratio:.3f}")
    return ratio


def _opened(engines: int, scratch: Path) -> ChildEngine:
    found = open_engine(
        "transformers",
        MODELS / MODEL,
        resources=Resources(device="cpu", engines=engines, threads=engines),
        dtype="float32",
        log=scratch / "engine.log",
        home=scratch,
        say=print,
    )
    assert isinstance(found, ChildEngine)
    return found


def _shard(engine: ChildEngine, number: int) -> Completions:
    """Greedy solutions of a shard's problems, no two of which are equal."""
    template = load_template(TEMPLATE)
    prompts = [
        template.render(
            f"Ann has {number + 3} red and {place + 2} blue marbles. How many marbles has she?",
            template.shots,
        )
        for place in range(PROBLEMS)
    ]
    return engine.sample(prompts, [(place, 0) for place in range(PROBLEMS)], GREEDY)


def _equal(ours: list[Completions], theirs: list[Completions]) -> int:
    pairs = (
        (a, b) for one, two in zip(ours, theirs, strict=True) for a, b in zip(one, two, strict=True)
    )
    return sum(a == b for a, b in pairs)


if __name__ == "__main__":
    run(*sys.argv[1:])
