"""Other benchmarks, on which every policy of a run is measured beside its own test problems.

ReST^EM (arXiv 2312.06585, figure 9) asks whether training on one task costs others: greedy accuracy
of the base and of each iteration, on the same problems, so that a regression shows.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.config.benchmarks import BENCHMARKS, Benchmark
from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Draw, Shards
from tasks.problems.step import benchmark_call, load_splits
from tasks.rows import Row
from tasks.settings import BenchmarkName
from tasks.store.store import ArtifactRef


@dataclass(frozen=True)
class TransferBenchmark:
    """One benchmark beside a run's own problems; `rows` are what `problems` holds."""

    name: BenchmarkName
    how: Benchmark
    problems: ArtifactRef
    rows: list[Row]
    sampler: Sampler

    def solve(self, number: int, policy: ArtifactRef, shots: int) -> Shards:
        """Greedy solutions of policy p_number, scored; `shots` of -1: all exemplars there are."""
        sampling = {**self.how.first, "max_tokens": self.how.max_tokens}
        draw = Draw(sampling, 0, self.sampler.shots(shots))
        return self.sampler.shards(number, f"{self.name} (transfer)", policy, "test", draw)


def transfer_benchmarks(config: RestEmConfig, caller: Caller) -> list[TransferBenchmark]:
    """The benchmarks that a configuration names, with their problems read."""
    found = []
    for name in config.evaluation.transfer:
        how = BENCHMARKS[name]
        limit = config.evaluation.transfer_limit
        source = config.evaluation.transfer_sources.get(name, "")
        call = benchmark_call(how.data, source, config.data.seed, limit)
        problems = caller.call(call, 0, "problems")
        splits = load_splits(caller.store.path(problems))
        sampler = Sampler(
            caller,
            problems,
            splits,
            prompt=how.prompt,
            engine=config.sampling.engine,
            dtype=config.model.dtype,
            execution=config.execution,
            resources=config.resources,
        )
        found.append(TransferBenchmark(name, how, problems, splits["test"], sampler))
    return found
