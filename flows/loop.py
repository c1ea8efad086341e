"""ReST^EM (arXiv 2312.06585, algorithm 1) as a plain loop over cached steps.

    for each iteration: evaluate p_i -> generate -> score -> select -> finetune p0 -> p_{i+1}

The loop only decides *what* to call; a `Caller` decides how: through Prefect (flows/rest_em.py),
straight (benchmarks), or not at all (the plan behind `--dry-run`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Protocol

from flows.config import RestEmConfig
from tasks.artifacts import ArtifactRef, Json, Store
from tasks.evaluate.step import measure_call
from tasks.filter.step import sandbox_settings, score_call, select_call
from tasks.finetune.step import finetune_call
from tasks.generate.step import generate_call
from tasks.policy import base_call
from tasks.problems.step import Block, blocks, load_splits, problems_call
from tasks.prompts import load_template
from tasks.steps import Call

GREEDY = {"temperature": 0.0, "top_k": 0, "top_p": 1.0}


class Caller(Protocol):
    """How a step is called."""

    store: Store

    def call(self, call: Call, iteration: int, group: str) -> ArtifactRef:
        """Do it or find it; `group` is the step's name in tables."""
        ...

    def pending(self, ref: ArtifactRef) -> bool:
        """Whether an artifact is only planned."""
        ...

    def end_stage(self) -> None:
        """The policy is not sampled any more: its engine may go."""
        ...

    def warn(self, text: str) -> None:
        """Tell the person something that they should know about the run."""
        ...


@dataclass
class Shards:
    """Samples and verdicts of one set of problems by one policy."""

    samples: list[ArtifactRef] = field(default_factory=list)
    verdicts: list[ArtifactRef] = field(default_factory=list)


@dataclass
class Iteration:
    """What there is about policy p_i; the last four belong to the step that follows it."""

    number: int
    policy: ArtifactRef
    greedy: Shards
    train: Shards
    validation: Shards
    sampled: Shards
    metrics: ArtifactRef
    drawn: Shards = field(default_factory=Shards)
    selection: ArtifactRef | None = None


@dataclass
class Outcome:
    """All artifacts of a run."""

    problems: ArtifactRef
    iterations: list[Iteration]
    warnings: list[str]


class Loop:
    """One run: holds what every call needs."""

    def __init__(self, config: RestEmConfig, caller: Caller) -> None:
        self.config, self.caller = config, caller
        self.template = load_template(config.model.prompt)

    def run(self) -> Outcome:
        """Run all iterations, or find them in the cache."""
        config, caller = self.config, self.caller
        self.problems = caller.call(problems_call(config.data), 0, "problems")
        self.splits = load_splits(caller.store.path(self.problems))
        base = policy = caller.call(base_call(config.model), 0, "base model")
        outcome = Outcome(self.problems, [], [])
        for number in range(config.iterations + 1):
            now = self._evaluate(number, policy)
            outcome.iterations.append(now)
            if number == config.iterations or self._worse(outcome):
                break
            now.drawn = self._draw(number, policy)
            now.selection = self._select(number, now.drawn)
            caller.end_stage()
            if now.selection.rows == 0:
                caller.warn(
                    f"iteration {number + 1}: no sample was accepted, so there is nothing to "
                    "train on; the loop ends with the policy it has"
                )
                break
            start = base if config.finetune.start_from == "base" else policy
            policy = self._finetune(number + 1, start, now.selection)
        caller.end_stage()
        return outcome

    def _evaluate(self, number: int, policy: ArtifactRef) -> Iteration:
        settings, shots = self.config.evaluation, self._shots(number)
        greedy = {"sampling": self._sampling(GREEDY), "seed": 0, "shots": shots}
        sampled = {
            "sampling": self._sampling(
                {"temperature": settings.temperature, "top_k": 0, "top_p": settings.top_p}
            ),
            "seed": self.config.seed,
            "shots": shots,
        }
        now = Iteration(
            number,
            policy,
            self._shards(number, "test", policy, "test", greedy, 1),
            self._shards(number, "train", policy, "train", greedy, 1, settings.train_problems)
            if settings.train_problems
            else Shards(),
            self._shards(number, "validation", policy, "validation", greedy, 1),
            self._shards(
                number,
                "pass@k",
                policy,
                "test",
                sampled,
                settings.samples,
                settings.sampled_problems,
            ),
            self.problems,
        )
        now.metrics = self.caller.call(
            measure_call(
                f"measure p{number}",
                settings,
                {
                    "greedy": (now.greedy.samples, now.greedy.verdicts),
                    "train": (now.train.samples, now.train.verdicts),
                    "validation": (now.validation.samples, now.validation.verdicts),
                    "sampled": (now.sampled.samples, now.sampled.verdicts),
                },
                self.problems,
            ),
            number,
            "measure",
        )
        return now

    def _draw(self, number: int, policy: ArtifactRef) -> Shards:
        """The E-step: N samples for each training problem, scored."""
        settings = self.config.sampling
        sampling = {
            "temperature": settings.temperature,
            "top_k": settings.top_k,
            "top_p": settings.top_p,
        }
        how = {
            "sampling": self._sampling(sampling),
            "seed": self.config.seed,
            "shots": self._shots(number),
        }
        return self._shards(number, "draw", policy, "train", how, settings.samples)

    def _select(self, number: int, drawn: Shards) -> ArtifactRef:
        call = select_call(
            f"select {number + 1}",
            self.config.filter,
            seed=self.config.seed,
            prompt=self.template.digest,
            shots=self._shots(number + 1),
            template=self.config.model.prompt,
            problems=self.problems,
            samples=drawn.samples,
            verdicts=drawn.verdicts,
        )
        return self.caller.call(call, number + 1, "select")

    def _finetune(self, number: int, start: ArtifactRef, rows: ArtifactRef) -> ArtifactRef:
        validation: Json = {
            "prompt": self.template.digest,
            "shots": self._shots(number),
            "max_tokens": self.config.sampling.max_tokens,
            "problems": [b.digest for b in self._blocks("validation", 0)],
        }
        if sandbox := self._sandbox("validation"):
            validation["sandbox"] = sandbox
        call = finetune_call(
            f"finetune {number}",
            self.config.finetune,
            seed=self.config.seed,
            validation=validation,
            template=self.config.model.prompt,
            problems=self.problems,
            start=start,
            rows=rows,
        )
        return self.caller.call(call, number, "finetune")

    def _shards(
        self,
        number: int,
        purpose: str,
        policy: ArtifactRef,
        split: str,
        how: Json,
        samples: int,
        limit: int = 0,
    ) -> Shards:
        """Sample and score a split, shard by shard."""
        made, resources = Shards(), self.config.resources
        ranges = [
            (first, min(first + resources.shard_samples, samples))
            for first in range(0, samples, resources.shard_samples)
        ]
        places = [
            (block, first, last) for block in self._blocks(split, limit) for first, last in ranges
        ]
        for block, first, last in places:
            made.samples.append(self._generate(number, purpose, policy, block, how, (first, last)))
        for (block, first, last), sample in zip(places, made.samples, strict=True):
            call = score_call(
                f"score {purpose} p{number} {_place(block, first, last)}",
                sample,
                block.digest,
                self.problems,
                block.to_json(),
                self._sandbox(split),
            )
            made.verdicts.append(self.caller.call(call, number, f"score {purpose}"))
        return made

    def _generate(
        self,
        number: int,
        purpose: str,
        policy: ArtifactRef,
        block: Block,
        how: Json,
        indices: tuple[int, int],
    ) -> ArtifactRef:
        config = self.config
        settings = {
            **how,
            "engine": config.sampling.engine,
            "dtype": config.model.dtype,
            "prompt": self.template.digest,
            "problems": block.digest,
            "samples": list(indices),
        }
        call = generate_call(
            f"generate {purpose} p{number} {_place(block, *indices)}",
            settings,
            policy,
            self.problems,
            {**block.to_json(), "template": config.model.prompt},
        )
        return self.caller.call(call, number, f"generate {purpose}")

    def _blocks(self, split: str, limit: int) -> list[Block]:
        size = self.config.resources.shard_problems
        return blocks(self.splits[split], split, size, limit)

    def _sandbox(self, split: str) -> Json | None:
        """What decides verdicts on programs; None for a split of math problems."""
        code = any(row["domain"] == "code" for row in self.splits[split][:1])
        return sandbox_settings(self.config.execution) if code else None

    def _sampling(self, settings: Json) -> Json:
        return {**settings, "max_tokens": self.config.sampling.max_tokens}

    def _shots(self, number: int) -> int:
        """Exemplars in the prompt of policy p_number."""
        model = self.config.model
        wanted = model.tuned_shots if number and model.tuned_shots >= 0 else model.shots
        return len(self.template.exemplars) if wanted < 0 else wanted

    def _worse(self, outcome: Outcome) -> bool:
        """Whether validation says to end the loop here."""
        if not self.config.stop_on_validation or len(outcome.iterations) < 2:
            return False
        before, now = outcome.iterations[-2:]
        if self.caller.pending(before.metrics) or self.caller.pending(now.metrics):
            return False
        values = [self._validation(i.metrics) for i in (before, now)]
        if values[1] < values[0]:
            self.caller.warn(
                f"iteration {now.number}: validation accuracy fell from {values[0]:.3f} to "
                f"{values[1]:.3f}; the loop ends here"
            )
            return True
        return False

    def _validation(self, metrics: ArtifactRef) -> float:
        text = (self.caller.store.path(metrics) / "metrics.json").read_text()
        return json.loads(text)["metrics"]["validation"]["value"]


def _place(block: Block, first: int, last: int) -> str:
    return f"[{block.start}:{block.stop}]x[{first}:{last}]"
