"""A short probe of a run: its own steps on a few of its problems, to see what they cost.

It goes through the same flow machinery as the run (Prefect's tasks, the store, child processes),
samples real prompts with the real engine, checks the samples, trains a few steps, and loads the
policy that came of it. What it makes is removed again, but for the problems and the base model,
which the run then finds. It looks for sizes near the run's own, as far as its budget of about a
minute allows; on a slow engine one request may take longer than that.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from prefect import flow

from flows.caller import PrefectCaller
from flows.capacity.batching import shard_seconds
from flows.capacity.jobs import Shard
from flows.capacity.measured import Measured, fit_engine, fit_score
from flows.capacity.parts import EngineParts, Json, Parts, TrainParts
from flows.config import RestEmConfig
from flows.loop import Iteration, Outcome
from flows.session import session
from flows.shards import GREEDY, Draw, Sampler, Shards
from flows.summary import report_call
from tasks.artifacts import ArtifactRef, Draft, Store
from tasks.evaluate.step import measure_call
from tasks.filter.step import VERDICTS, select_call
from tasks.filter.step_group import group_call
from tasks.finetune.step import finetune_call
from tasks.finetune.trainer import micro_batch
from tasks.generate.step import FILE
from tasks.policy import base_call
from tasks.problems.step import load_splits, problems_call
from tasks.prompts import load_template
from tasks.rows import TRAINING, Row, read_rows, write_rows
from tasks.runtime import Runtime
from tasks.settings import SamplingSettings
from tasks.steps import Call, step

FLOW = "probe"
# Beyond what a configuration may ask for, so that no run finds a probe's artifacts.
SEED = 2**31
# Seconds of sampling, and of training, that a probe aims at.
SAMPLING_SECONDS, TRAINING_SECONDS = 20.0, 15.0
WARM_PROMPTS = 8
# A small shard beside the large one, to tell costs of a shard from those of a sample.
SMALLER = 8
MAX_REPEATS = 4
ROWS = 256
# A backward pass costs twice a forward one; the optimiser and short batches cost the rest.
TRAINING_FACTOR = 4.0


@flow(name=FLOW, flow_run_name="{config.name}", validate_parameters=True)
def probe(config: RestEmConfig, greedy: tuple[int, int], sampled: tuple[int, int]) -> Json:
    """Measure what the steps of a run cost; returns `Parts` as plain data.

    Its `start` is the time (of perf_counter) at which the flow began.

    Args:
        config: Of the run.
        greedy: Problems and samples of its largest greedy shard.
        sampled: The same of its largest sampled one.
    """
    began = time.perf_counter()
    run_id = f"{config.run_id}-probe"
    with session(run_id, config.model_dump(), config.resources, config.sandbox, FLOW) as caller:
        work = _Probe(config, caller)
        try:
            parts = work.run(Shard(*greedy), Shard(*sampled))
        finally:
            work.clean()
    shutil.rmtree(caller.journal.folder, ignore_errors=True)
    return {**parts.to_json(), "start": began}


@step("probe rows", "rows")
def probe_rows(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Training rows from samples, right or wrong: what matters here is how long they are."""
    template = load_template(call.hints["template"])
    problems = {
        row["id"]: row
        for row in read_rows(runtime.store.path(call.context["problems"]) / "problems.parquet")
    }

    def rows() -> Iterator[Row]:
        samples = read_rows(runtime.store.path(call.inputs["samples"]) / FILE)
        for sample, _ in zip(samples, range(call.settings["rows"]), strict=False):
            problem = problems[sample["problem_id"]]
            yield {
                "prompt": template.render(
                    problem["question"], call.settings["shots"], problem["subject"]
                ),
                "completion": sample["text"],
                "weight": 1.0,
                "problem_id": sample["problem_id"],
                "index": sample["index"],
                "samples": call.inputs["samples"].key,
            }

    draft.rows = write_rows(draft.path / "rows.parquet", TRAINING, rows())


class _Probe:
    """One probe; a caller of steps that remembers what each took."""

    def __init__(self, config: RestEmConfig, caller: PrefectCaller) -> None:
        self.config, self._caller = config, caller
        self.store: Store = caller.store
        self.lines: list[Measured] = []
        self._made: list[ArtifactRef] = []
        self._stamps: list[float] = []
        self._seed = SEED
        progress = caller.runtime.progress

        def stamp(label: str, done: int, total: int) -> None:
            self._stamps.append(time.perf_counter())
            progress(label, done, total)

        caller.runtime.progress = stamp

    # The interface of flows.shards.Caller.

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Do it, and note what it took."""
        self._stamps.clear()
        began = time.perf_counter()
        ref = self._caller.call(call, iteration, group)
        took = time.perf_counter() - began
        if call.step.kind != "problems" and call.step.name != "base_model":
            self._made.append(ref)
        stats = self.store.manifest(ref)["stats"]
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

    # The probe itself.

    def run(self, greedy: Shard, sampled: Shard) -> Parts:
        """Measure everything once."""
        config = self.config
        self.problems = self.call(problems_call(config.data), 0, "problems")
        self.splits = load_splits(self.store.path(self.problems))
        base = self.call(base_call(config.model), 0, "base model")
        self._warm(base)
        warm = self._last("generate")
        self._warm(base)
        plain, whole = self._sample(
            base, greedy, sampled, self._last("generate").seconds / WARM_PROMPTS
        )
        loaded = [line for line in self._all("generate")[1:] if line.group != "generate start"]
        engine = fit_engine(loaded, config.resources.batch_size)
        started = [line for line in self._all("generate") if line.group == "generate start"]
        more = sum(line.seconds - _predicted(engine, line) for line in started)
        scored = [line for line in self._all("score") if "whole" in line.group]
        score = fit_score(scored, self._all("score")[0])
        once = self._others(base, plain, whole)
        self.end_stage()
        train, policy = self._train(base, whole, engine)
        if policy is not None:
            self._warm(policy)
        again = self._last("generate")
        load = max(0.0, again.seconds - _predicted(engine, again))
        first = max(0.0, warm.seconds - _predicted(engine, warm) - load)
        whole_lines = [line for line in self._all("generate") if "whole" in line.group]
        greedy_lengths = _flat([n.lengths for n in whole_lines if "greedy" in n.group])
        lengths = _flat([n.lengths for n in whole_lines if "greedy" not in n.group])
        lines = self.lines[2:]
        return Parts(
            engine=replace(engine, load=load + max(0.0, more)),
            score=score,
            train=train,
            lengths=lengths,
            greedy_lengths=greedy_lengths,
            overhead=sum(line.took - line.seconds for line in lines) / len(lines),
            once=once,
            first=first,
            keep=self._keep(whole),
            source="probe",
        )

    def clean(self) -> None:
        """Remove what the probe made."""
        for ref in self._made:
            self.store.discard(ref.kind, ref.key)

    def _shards(self, policy: ArtifactRef, name: str, size: Shard, sampling: Json) -> Shards:
        """One shard, sampled and scored, with seeds of its own."""
        config = self.config
        self._seed += 1
        resources = config.resources.model_copy(
            update={"shard_problems": size.problems, "shard_samples": size.samples}
        )
        sampler = Sampler(
            self,
            self.problems,
            self.splits,
            prompt=config.model.prompt,
            engine=config.sampling.engine,
            dtype=config.model.dtype,
            execution=config.execution,
            resources=resources,
        )
        self._sampler = sampler
        draw = Draw(sampling, self._seed, sampler.shots(config.model.shots), size.samples)
        return sampler.shards(0, name, policy, "train", draw, size.problems)

    def _sampling(self, **changes: float) -> Json:
        settings = self.config.sampling
        return {
            "temperature": settings.temperature,
            "top_k": settings.top_k,
            "top_p": settings.top_p,
            "max_tokens": settings.max_tokens,
            **changes,
        }

    def _warm(self, policy: ArtifactRef) -> None:
        """A few prompts, one token each: the engine is loaded then."""
        self._shards(policy, "warm", Shard(WARM_PROMPTS, 1), self._sampling(max_tokens=1))

    def _sample(
        self, base: ArtifactRef, greedy: Shard, sampled: Shard, prompt: float
    ) -> tuple[Shards, list[Shards]]:
        """Shards of several sizes; a greedy one, and those sampled to the end.

        Args:
            base: The policy.
            greedy: Largest greedy shard of the run.
            sampled: Largest sampled one.
            prompt: Seconds that a prompt takes at most.
        """
        budget = SAMPLING_SECONDS
        problems = _within(sampled.problems, budget / 4, prompt)
        ones = self._sampling(max_tokens=1)
        for name in ("start", "prompts"):  # the first may start further children of the engine
            self._shards(base, name, Shard(problems, sampled.samples), ones)
        small = max(1, problems // SMALLER)
        self._shards(base, "small whole", Shard(small, sampled.samples), self._sampling())
        each = self._last("generate").seconds / small
        problems = _within(problems, budget / 2, each)
        longest = self.config.sampling.max_tokens
        plain = Shard(_within(greedy.problems, budget / 4, each), 1)
        found: list[Shards] = []
        began = time.perf_counter()
        while True:
            once = self._shards(base, "greedy whole", plain, {**GREEDY, "max_tokens": longest})
            found.append(
                self._shards(base, "whole", Shard(problems, sampled.samples), self._sampling())
            )
            spent = time.perf_counter() - began
            if len(found) == MAX_REPEATS or spent * (1 + 1 / len(found)) > budget / 2:
                return once, found

    def _others(self, base: ArtifactRef, plain: Shards, whole: list[Shards]) -> Json:
        """Seconds of the steps that have no shards."""
        config, shards = self.config, whole[-1]
        number = 0
        domain = self._sampler.domain("train")
        votes = domain != "code" and config.evaluation.samples > 1 and config.evaluation.majority
        group = None
        if votes:
            group = self.call(
                group_call("group probe", shards.verdicts, exact=domain != "math"), 0, "group"
            )
        sets = dict.fromkeys(("greedy", "train", "validation"), (plain.samples, plain.verdicts))
        sampled = (shards.samples, shards.verdicts)
        sizes = [size for size in config.evaluation.pass_k if size <= self._samples_of(shards)]
        settings = config.evaluation.model_copy(
            update={
                "samples": self._samples_of(shards),
                "pass_k": sizes or [1],
                "majority": [],
            }
        )
        metrics = self.call(
            measure_call(
                "measure probe", settings, {**sets, "sampled": sampled}, self.problems, group
            ),
            number,
            "measure",
        )
        selected = select_call(
            "select probe",
            config.filter,
            seed=SEED,
            prompt=load_template(config.model.prompt).digest,
            shots=self._sampler.shots(config.model.shots),
            template=config.model.prompt,
            problems=self.problems,
            samples=shards.samples,
            verdicts=shards.verdicts,
        )
        selection = self.call(selected, 1, "select")
        now = Iteration(0, base, plain, plain, plain, shards, metrics, {}, shards, selection)
        self.call(report_call(config, Outcome(self.problems, [now], [])), 1, "report")
        return {
            line.group: line.seconds
            for line in self.lines
            if line.group in ("group", "measure", "select", "report")
        }

    def _samples_of(self, shards: Shards) -> int:
        return self._last("generate").rows // max(1, self._last("generate").problems)

    def _train(
        self, base: ArtifactRef, whole: list[Shards], engine: EngineParts
    ) -> tuple[TrainParts, ArtifactRef | None]:
        """A short fine-tune on samples, right or wrong; the policy that it made."""
        config = self.config
        settings = config.finetune
        each = TRAINING_FACTOR * max(engine.prompt, 1e-6)
        shots = self._sampler.shots(
            config.model.tuned_shots if config.model.tuned_shots >= 0 else config.model.shots
        )
        rows = self.call(
            Call(
                probe_rows,
                "rows of the probe",
                {"rows": _within(ROWS, TRAINING_SECONDS, each), "shots": shots, "seed": self._seed},
                {"samples": whole[-1].samples[0]},
                {"template": config.model.prompt},
                {"problems": self.problems},
            ),
            1,
            "rows",
        )
        validation = len(self.splits["validation"])
        length = sum(self._last("generate").lengths) // max(1, self._last("generate").rows)
        check = shard_seconds(engine, validation, [max(1, length)] * validation)
        checked = bool(settings.checks and validation and check < TRAINING_SECONDS)
        micro = micro_batch(settings.batch_size, config.resources.train_batch_size)
        asked: Json = {
            "prompt": load_template(config.model.prompt).digest,
            "shots": shots,
            "max_tokens": config.sampling.max_tokens,
            "problems": [],
        }
        if sandbox := self._sampler.sandbox("validation"):
            asked["sandbox"] = sandbox
        call = finetune_call(
            "finetune probe",
            settings.model_copy(
                update={"epochs": 1.0, "checks": int(checked), "batch_size": micro}
            ),
            seed=self._seed,
            validation=asked,
            template=config.model.prompt,
            problems=self.problems,
            start=base,
            rows=rows,
        )
        policy = self.call(call, 1, "finetune")
        steps = list(self._stamps)
        line = self._last("finetune")
        facts = _read(self.store, policy)
        taken = line.facts.get("parts", {})
        sequence = _per_step(steps, taken, facts) / micro
        check = taken.get("validation", 0.0) if checked else check
        done = facts["steps"] * min(micro, facts["sequences"])
        packing = taken.get("packing", 0.0)
        start = line.seconds - done * sequence - packing
        start -= taken.get("validation", 0.0) + taken.get("checkpoints", 0.0)
        return (
            TrainParts(
                start=max(0.0, start),
                row=packing / max(1, facts["rows"]),
                sequence=sequence,
                check=check if settings.checks else 0.0,
                save=taken.get("checkpoints", 0.0),
                tokens_row=facts["tokens"] / max(1, facts["rows"]),
            ),
            policy,
        )

    def _keep(self, whole: list[Shards]) -> tuple[float, ...]:
        """For each probed problem the share of its samples that would become training rows."""
        texts: dict[str, list[str | None]] = {}
        for shards in whole:
            for sample, verdict in zip(shards.samples, shards.verdicts, strict=True):
                for row, judged in zip(
                    read_rows(self.store.path(sample) / FILE),
                    read_rows(self.store.path(verdict) / VERDICTS),
                    strict=True,
                ):
                    good = judged["reward"] >= self.config.filter.min_reward
                    if self.config.filter.finished_only and row["finish"] == "length":
                        good = False
                    texts.setdefault(row["problem_id"], []).append(
                        " ".join(row["text"].split()) if good else None
                    )
        most = self.config.sampling.samples
        shares = []
        for found in texts.values():
            taken = [text for text in found[:most] if text is not None]
            kept = len(set(taken)) if self.config.filter.dedup == "exact" else len(taken)
            shares.append(kept / min(len(found), most))
        return tuple(shares)

    def _all(self, name: str) -> list[Measured]:
        return [line for line in self.lines if line.step == name]

    def _last(self, name: str) -> Measured:
        return self._all(name)[-1]


def _predicted(engine: EngineParts, line: Measured) -> float:
    return shard_seconds(engine, line.problems, line.lengths)


def _within(wanted: int, seconds: float, each: float) -> int:
    """As many of `wanted` as fit into so many seconds, but a few in any case."""
    return max(min(wanted, 4), min(wanted, int(seconds / max(each, 1e-9))))


def _flat(lists: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(value for one in lists for value in one)


def _per_step(stamps: list[float], taken: Json, facts: Json) -> float:
    """Seconds of an optimiser step: between progress reports, the last of which has a check."""
    gaps = sorted(b - a for a, b in pairwise(stamps[:-1]))
    if gaps:
        return gaps[len(gaps) // 2]
    return taken.get("training", 0.0) / max(1, facts["steps"])


def _read(store: Store, policy: ArtifactRef) -> Json:
    import json

    return json.loads((store.path(policy) / "training.json").read_text())
