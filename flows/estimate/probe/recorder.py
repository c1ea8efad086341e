"""The caller of a probe's steps: it samples, and remembers what each step took."""

from __future__ import annotations

import time
from collections.abc import Iterable

from flows.config.rest_em import RestEmConfig
from flows.estimate.simulation.fit import Measured
from flows.estimate.simulation.jobs import Shard
from flows.orchestrator.pipeline import Chain, in_turn
from flows.orchestrator.prefect_caller import PrefectCaller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Draw, Shards
from tasks.dag.step import Call
from tasks.generate.step import FILE
from tasks.problems.step import load_splits
from tasks.rows import Json, read_rows
from tasks.settings import SamplingSettings
from tasks.store.store import ArtifactRef, Store

# Beyond what a configuration may ask for, so that no run finds a probe's artifacts.
SEED = 2**31
WARM_PROMPTS = 8


class Recorder:
    """Calls steps as a run does (a `Caller`), and notes seconds and counts."""

    def __init__(self, config: RestEmConfig, caller: PrefectCaller) -> None:
        self.config, self._caller = config, caller
        self.store: Store = caller.store
        self.lines: list[Measured] = []
        self.stamps: list[float] = []  # of the last step's words on its progress
        self.seed = SEED
        self._made: list[ArtifactRef] = []
        progress = caller.runtime.progress

        def stamp(label: str, done: int, total: int) -> None:
            self.stamps.append(time.perf_counter())
            progress(label, done, total)

        caller.runtime.progress = stamp

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Do it, and note what it took."""
        self.stamps.clear()
        began = time.perf_counter()
        ref = self._caller.call(call, iteration, group)
        took = time.perf_counter() - began
        if call.step.kind != "problems" and call.step.name != "base_model":
            self._made.append(ref)
        stats = self.store.manifest(ref).stats.to_json()
        lengths: tuple[int, ...] = ()
        if call.step.kind == "samples":
            rows = read_rows(self.store.path(ref) / FILE, ["tokens"])
            lengths = tuple(row["tokens"] for row in rows)
        hints = call.hints
        problems = hints["stop"] - hints["start"] if "stop" in hints else 0
        self.lines.append(
            Measured(
                call.step.name, group, problems, ref.rows, stats["seconds"], took, lengths, stats
            )
        )
        return ref

    def drive(self, chains: Iterable[Chain]) -> None:
        """One after the other, so that each can be told from the next."""
        in_turn(chains, lambda ask: self.call(ask.call, ask.iteration, ask.group))

    def together(self, made: Shards, chains: Iterable[Chain]) -> float:
        """Run the chains that fill `made` as a run does; the seconds of all of them."""
        began = time.perf_counter()
        self._caller.drive(chains)
        seconds = time.perf_counter() - began
        self._made += [*made.samples, *made.verdicts]
        return seconds

    def pending(self, ref: ArtifactRef) -> bool:
        """Nothing is only planned here."""
        return False

    def end_stage(self) -> None:
        """Free the engine's memory."""
        self._caller.end_stage()

    def warn(self, text: str) -> None:
        """Tell it."""
        self._caller.warn(text)

    def review(self, number: int, sampling: SamplingSettings, metrics: Json) -> None:
        """Nobody is asked."""

    def alarm(self, number: int, facts: Json) -> None:
        """Nobody is told."""

    def use(self, problems: ArtifactRef) -> None:
        """Sample these problems from now on."""
        self.problems = problems
        self.splits = load_splits(self.store.path(problems))

    def sample(self, policy: ArtifactRef, name: str, size: Shard, sampling: Json) -> Shards:
        """One shard, sampled and scored, with seeds of its own."""
        made = Shards()
        self.drive(self._chains(made, policy, name, size, sampling, 1))
        return made

    def sample_set(
        self, policy: ArtifactRef, size: Shard, sampling: Json, count: int
    ) -> tuple[Shards, float]:
        """So many shards in flight together, as in a run; and the seconds of all."""
        made = Shards()
        chains = self._chains(made, policy, "set", size, sampling, count)
        return made, self.together(made, chains)

    def _chains(
        self,
        made: Shards,
        policy: ArtifactRef,
        name: str,
        size: Shard,
        sampling: Json,
        count: int,
    ) -> list[Chain]:
        config = self.config
        self.seed += 1
        resources = config.resources.model_copy(
            update={"shard_problems": size.problems, "shard_samples": size.samples}
        )
        self.sampler = Sampler(
            self,
            self.problems,
            self.splits,
            prompt=config.model.prompt,
            engine=config.sampling.engine,
            dtype=config.model.dtype,
            execution=config.execution,
            resources=resources,
        )
        shots = self.sampler.shots(config.model.shots)
        draw = Draw(sampling, self.seed, shots, size.samples * count)
        return self.sampler.chains(made, 0, name, policy, "train", draw, size.problems)

    def sampling(self, **changes: float) -> Json:
        """The run's sampling, with changes."""
        settings = self.config.sampling
        return {
            "temperature": settings.temperature,
            "top_k": settings.top_k,
            "top_p": settings.top_p,
            "max_tokens": settings.max_tokens,
            **changes,
        }

    def warm(self, policy: ArtifactRef) -> None:
        """A few prompts, one token each: the engine is loaded then."""
        self.sample(policy, "warm", Shard(WARM_PROMPTS, 1), self.sampling(max_tokens=1))

    def all(self, name: str) -> list[Measured]:
        """What was noted of a step."""
        return [line for line in self.lines if line.step == name]

    def last(self, name: str) -> Measured:
        """What was noted of a step last."""
        return self.all(name)[-1]

    def clean(self) -> None:
        """Remove what the probe made."""
        for ref in self._made:
            self.store.discard(ref.kind, ref.key)
