"""E-steps on demand, in a process of their own, for `restem bench scale`.

Such a process stands for a run at its E-step: it is told a seed and a number of samples, draws and
scores that many for each problem as a run would, and says how long it took and what came of it. As
a flow it goes through Prefect and whatever its configuration names (a Ray cluster, a store);
straight it calls the same steps without either, which shows what the cores alone give.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from flows.config.rest_em import RestEmConfig, load_config
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Draw, Shards
from flows.server.access import API, CLIENT
from tasks.errors import StepError
from tasks.paths import ROOT
from tasks.policy.step import base_call
from tasks.problems.step import load_splits, problems_call

# Before each answer: what else a run prints is for people.
MARK = "drawn "
FLOW, STRAIGHT = "flow", "straight"
# Loads the policy and starts everything.
WARM_SAMPLES = 8


@dataclass(frozen=True)
class Drawn:
    """What came of an E-step.

    Attributes:
        seconds: From the first sample asked for to the last verdict.
        digests: Of samples and verdicts, shard by shard.
    """

    seconds: float
    digests: tuple[str, ...]


class Draws:
    """A process that draws; a context manager that ends it."""

    def __init__(self, way: str, changes: Sequence[str], home: Path, cores: set[int]) -> None:
        """Start it.

        Args:
            way: FLOW or STRAIGHT.
            changes: `key=value` changes to the demo's configuration.
            home: Its RESTEM_HOME.
            cores: On which it and what it starts may run.
        """
        # Where Prefect keeps its files is this home's own affair; the server is everybody's.
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in (API, CLIENT) or not name.startswith("PREFECT_")
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sampling._scale_draws", way, *changes],
            cwd=ROOT,
            env={**kept, "RESTEM_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        os.sched_setaffinity(self._process.pid, cores)  # before it has begun anything

    def ask(self, seed: int, samples: int) -> None:
        """Have so many samples of each problem drawn; `answer` waits for them."""
        sink = _there(self._process.stdin)
        sink.write(f"{seed} {samples}\n")
        sink.flush()

    def answer(self) -> Drawn:
        """What was asked for.

        Raises:
            StepError: the process ended.
        """
        for line in _there(self._process.stdout):
            if line.startswith(MARK):
                found = json.loads(line.removeprefix(MARK))
                return Drawn(found["seconds"], tuple(found["digests"]))
        raise StepError("an E-step of the bench failed; its words are above")

    def draw(self, seed: int, samples: int) -> Drawn:
        """Ask, and wait for the answer."""
        self.ask(seed, samples)
        return self.answer()

    def __enter__(self) -> Draws:
        return self

    def __exit__(self, *_: object) -> None:
        """It ends when nothing more can be asked."""
        _there(self._process.stdin).close()
        self._process.wait()
        _there(self._process.stdout).close()


class Alone:
    """The same work without cluster and flow: what the cores give to processes that share nothing.

    A context manager that ends its processes.
    """

    def __init__(self, changes: Sequence[str], home: Path, cores: Sequence[int]) -> None:
        """Start one process on each of two cores."""
        self._stack = contextlib.ExitStack()
        self._draws = [
            self._stack.enter_context(Draws(STRAIGHT, changes, home / f"alone{core}", {core}))
            for core in cores
        ]
        self._both(0, WARM_SAMPLES)

    def ratio(self, turn: int, samples: int) -> float:
        """Seconds of one process over those of two that have half of the samples each."""
        return self._draws[0].draw(2 * turn, samples).seconds / self._both(
            2 * turn + 1, samples // 2
        )

    def _both(self, seed: int, samples: int) -> float:
        for one in self._draws:
            one.ask(seed, samples)
        return max([one.answer().seconds for one in self._draws])

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@dataclass
class Pairs:
    """Ratios of seconds on one machine to those on two, one for each round.

    Attributes:
        ratios: Of the way that is measured.
        ceiling: Of the cores alone.
    """

    ratios: list[float] = field(default_factory=list)
    ceiling: list[float] = field(default_factory=list)

    def add(self, ratio: float, ceiling: float) -> None:
        """One round more."""
        self.ratios.append(ratio)
        self.ceiling.append(ceiling)


def _there(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def answer_all(config: RestEmConfig, caller: Caller) -> None:
    """Draw whatever standard input asks for, until it ends."""
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
    sampling = config.sampling.model_dump(include={"temperature", "top_k", "top_p", "max_tokens"})
    for line in sys.stdin:
        seed, samples = map(int, line.split())
        draw = Draw(sampling, seed, sampler.shots(config.model.shots), samples)
        made = Shards()
        began = time.perf_counter()
        caller.drive(sampler.chains(made, 0, "draw", policy, "train", draw))
        seconds = time.perf_counter() - began
        digests = [ref.digest for ref in (*made.samples, *made.verdicts)]
        print(MARK + json.dumps({"seconds": seconds, "digests": digests}), flush=True)


def main(way: str, *changes: str) -> None:
    """The body of the process."""
    config = load_config("math-demo", list(changes))
    if way == STRAIGHT:
        from flows.orchestrator.direct_caller import DirectCaller

        with DirectCaller(config, isolate=True) as caller:
            answer_all(config, caller)
        return
    from flows.server.local import prefect_environment

    prefect_environment()
    from prefect import flow

    from flows.orchestrator.session import session

    @flow(name="draws")
    def draws() -> None:
        run = f"{config.run_id}-draws"
        with session(run, config.model_dump(), config.resources, config.sandbox, "draws") as made:
            answer_all(config, made)

    draws()


if __name__ == "__main__":
    main(*sys.argv[1:])
