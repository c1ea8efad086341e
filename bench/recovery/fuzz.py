"""`restem bench fuzz [TARGET] [COUNT] [SEED]`: hostile inputs, and what comes of them.

| target     | what is changed                               | what reads it                       |
|------------|-----------------------------------------------|-------------------------------------|
| manifests  | manifest.json, and files beside it            | the store: lookup, list, verify     |
| journals   | run.json, steps.jsonl and more of runs        | status, find_run, the pages         |
| parameters | the JSON of a flow run, as Prefect gives it   | the configurations and their limits |
| pages      | raw bytes of requests, over sockets           | the server of the reports           |
| door       | the same                                      | what stands before Prefect's server |

Good inputs are changed in their structure and in their bytes (_fuzz_inputs.py). An input has a
number, which makes it again with the seed. Allowed are an answer, or the one-line error that the
reader promises. A traceback, a file written outside (_fuzz_watch.py), what only the outside has in
an answer, and memory that grows are violations; with one the command fails.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

import psutil

from bench.recovery._fuzz_watch import Watch
from tasks.paths import ROOT

TARGETS = {
    "manifests": "_fuzz_manifests",
    "journals": "_fuzz_journals",
    "parameters": "_fuzz_parameters",
    "pages": "_fuzz_pages",
    "door": "_fuzz_door",
}
# Imports, caches and the allocator's pools have come to rest by then.
_WARM = 0.1
# What a process may have grown by since, MB: pools and counters, never with the number of inputs.
GROWTH_MB = 48.0


class Violation(Exception):
    """The target did what it never may; the message says what."""


class Target(Protocol):
    """One reader of hostile inputs."""

    def try_one(self, random: Random) -> str:
        """Give it one input; how it took it, in a word or two.

        Raises:
            Violation: it did what it may not; any other exception is one as well.
        """
        ...

    def close(self) -> None:
        """End what was started."""
        ...


@dataclass
class Fuzzed:
    """What came of a target's inputs.

    Attributes:
        outcomes: How they were taken, by how often.
        violations: By what happened: the numbers of such inputs.
        examples: By the same: what the first one's error said.
        memory: MB at the start (after a warm-up), at the end, and the most.
        outside: What was touched outside.
    """

    target: str
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    violations: dict[str, list[int]] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    memory: tuple[float, float, float] = (0.0, 0.0, 0.0)
    outside: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0

    @property
    def bad(self) -> int:
        """Inputs that did what none may, and signs that they did in sum."""
        grown = self.memory[1] - self.memory[0] > GROWTH_MB
        return sum(map(len, self.violations.values())) + sum(self.outside.values()) + grown


def fuzz(target: str, count: int, seed: int = 1, first: int = 0) -> Fuzzed:
    """Give `count` inputs to a target.

    Args:
        seed: With the number of an input it makes it.
        first: Number of the first input.
    """
    found, process = Fuzzed(target), psutil.Process()
    began, start, most = time.perf_counter(), 0.0, 0.0
    module = importlib.import_module(f"bench.recovery.{TARGETS[target]}")
    with tempfile.TemporaryDirectory() as made, _home(Path(made).resolve() / "own"):
        folder = Path(made).resolve()
        tried: Target = module.open_target(folder)
        now = 0.0
        try:
            with Watch(folder / "own", connects=target in ("pages", "door")) as watch:
                for number in range(first, first + count):
                    _try(tried, number, seed, found)
                    if found.inputs % 200 == 0 or found.inputs == count:
                        gc.collect()
                        now = process.memory_info().rss / 2**20
                        start = start if found.inputs > count * _WARM and start else now
                        most = max(most, now)
            found.outside = watch.outside
        finally:
            tried.close()
    found.memory = (start, now, most)
    found.seconds = time.perf_counter() - began
    return found


@contextlib.contextmanager
def _home(own: Path) -> Iterator[None]:
    """An empty RESTEM_HOME and working folder, and an operator who lists nothing."""
    before, folder, bytecode = dict(os.environ), Path.cwd(), sys.dont_write_bytecode
    (own / "work").mkdir(parents=True)
    for name in ("RESTEM_DATA", "RESTEM_PATHS", "RESTEM_ADDRESSES", "RESTEM_FUNCTIONS"):
        os.environ.pop(name, None)
    os.environ["RESTEM_HOME"] = str(own / "home")
    os.environ["PREFECT__FLOW_RUN_ID"] = "fuzzed"  # as where Prefect starts a run
    os.chdir(own / "work")
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        os.chdir(folder)
        sys.dont_write_bytecode = bytecode
        os.environ.clear()
        os.environ.update(before)


def _try(tried: Target, number: int, seed: int, found: Fuzzed) -> None:
    found.inputs += 1
    try:
        found.outcomes[tried.try_one(Random(f"{seed}:{number}"))] += 1
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [one for one in frames if one.filename.startswith(f"{ROOT}/")]
        at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
        kind = str(error) if isinstance(error, Violation) else f"{type(error).__name__} at {at}"
        found.violations.setdefault(kind[:160], []).append(number)
        found.examples.setdefault(kind[:160], f"{error!r:.160}")


def report(found: Fuzzed) -> str:
    """For people."""
    lines = [
        f"{found.target}: {found.inputs:,} inputs in {found.seconds:.0f} s; memory "
        f"{found.memory[0]:.0f} MB, at the end {found.memory[1]:.0f}, at most "
        f"{found.memory[2]:.0f}; "
        f"{sum(found.outside.values())} times outside; violations: {found.bad}"
    ]
    lines += [f"  {times:>7,}  {how}" for how, times in found.outcomes.most_common(25)]
    for what, numbers in sorted(found.violations.items(), key=lambda one: -len(one[1]))[:25]:
        said = f"{what} ({found.examples[what]})"
        lines.append(f"  VIOLATION {len(numbers)} times, first {numbers[0]}: {said}")
    lines += [f"  OUTSIDE {times} times: {what}" for what, times in found.outside.most_common(10)]
    return "\n".join(lines)


def run(target: str = "all", count: str = "20000", seed: str = "1", first: str = "0") -> float:
    """Fuzz one target, or all; raises SystemExit(1) on any violation."""
    names = list(TARGETS) if target == "all" else [target]
    if unknown := set(names) - set(TARGETS):
        raise SystemExit(f"fuzz: {min(unknown)}: expected all or one of: {', '.join(TARGETS)}")
    print(f"seed {seed}, inputs {first} and on; the same numbers make the same inputs", flush=True)
    done = []
    for name in names:
        done.append(fuzz(name, int(count), int(seed), int(first)))
        print(report(done[-1]), flush=True)
    inputs = sum(one.inputs for one in done)
    bad = sum(one.bad for one in done)
    ratio = (inputs - min(bad, inputs)) / max(inputs, 1)
    print(f"fuzz ratio={ratio:.4f}")
    if bad:
        raise SystemExit(1)
    return ratio
