"""Samples of one set of problems by one policy, with verdicts, shard by shard.

A shard is a block of problems by a block of sample indices, each its own cached call, so a killed
run repeats at most one, and more samples or problems add shards without touching those there are.
The loop and the evaluation of any model draw through this file: there is one way to sample and one
way to check.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from tasks.artifacts import ArtifactRef, Json, Store
from tasks.filter.step import CHECKERS, sandbox_settings, score_call
from tasks.generate.step import generate_call
from tasks.problems.step import Block, blocks
from tasks.prompts import PromptTemplate, load_template
from tasks.rows import Row
from tasks.settings import ExecutionSettings, Resources, SamplingSettings
from tasks.steps import Call

GREEDY: Json = {"temperature": 0.0, "top_k": 0, "top_p": 1.0}


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

    def review(self, number: int, sampling: SamplingSettings, metrics: Json) -> Json | None:
        """What a person decides after an iteration (flows/review.py); None: nobody is asked."""
        ...

    def alarm(self, number: int, facts: Json) -> None:
        """Test accuracy fell while training accuracy rose (flows/alarm.py)."""
        ...


@dataclass
class Shards:
    """Samples and verdicts of one set of problems by one policy."""

    samples: list[ArtifactRef] = field(default_factory=list)
    verdicts: list[ArtifactRef] = field(default_factory=list)


@dataclass(frozen=True)
class Draw:
    """How samples are drawn: what changes them, and no more.

    Attributes:
        sampling: temperature, top_k, top_p, max_tokens.
        seed: Of the samples; each has its own made from it.
        shots: Exemplars in the prompt.
        samples: For each problem.
    """

    sampling: Json
    seed: int
    shots: int
    samples: int = 1


class Sampler:
    """Draws and scores samples of one artifact of problems with one prompt template."""

    def __init__(
        self,
        caller: Caller,
        problems: ArtifactRef,
        splits: dict[str, list[Row]],
        *,
        prompt: str,
        engine: str,
        dtype: str,
        execution: ExecutionSettings,
        resources: Resources,
    ) -> None:
        """Nothing is drawn yet.

        Args:
            caller: Calls the steps.
            problems: The problems.
            splits: Their rows, by split.
            prompt: Name of the template.
            engine: Sampling engine.
            dtype: Its number format.
            execution: Limits of programs.
            resources: Sizes of shards.
        """
        self.template: PromptTemplate = load_template(prompt)
        self._caller, self._problems, self._splits = caller, problems, splits
        self._prompt, self._engine, self._dtype = prompt, engine, dtype
        self._execution, self._resources = execution, resources

    def shards(
        self,
        number: int,
        purpose: str,
        policy: ArtifactRef,
        split: str,
        draw: Draw,
        limit: int = 0,
    ) -> Shards:
        """Sample and score the first `limit` problems (0: all) of a split.

        Args:
            number: Of the policy, for labels and tables.
            purpose: What the samples are for, for labels and tables.
            policy: The policy.
            split: train, validation or test.
            draw: How.
            limit: Most problems.
        """
        made, step = Shards(), self._resources.shard_samples
        ranges = [
            (first, min(first + step, draw.samples)) for first in range(0, draw.samples, step)
        ]
        places = [
            (block, first, last) for block in self.blocks(split, limit) for first, last in ranges
        ]
        for block, first, last in places:
            made.samples.append(self._generate(number, purpose, policy, block, draw, (first, last)))
        for (block, first, last), sample in zip(places, made.samples, strict=True):
            call = score_call(
                f"score {purpose} p{number} {_place(block, first, last)}",
                sample,
                block.digest,
                self._problems,
                block.to_json(),
                self.sandbox(split),
                CHECKERS.get(self.domain(split), ""),
            )
            made.verdicts.append(self._caller.call(call, number, f"score {purpose}"))
        return made

    def blocks(self, split: str, limit: int = 0) -> list[Block]:
        """The first `limit` problems (0: all) of a split, in blocks."""
        return blocks(self._splits[split], split, self._resources.shard_problems, limit)

    def sandbox(self, split: str) -> Json | None:
        """What decides verdicts on programs; None for a split without code problems."""
        return sandbox_settings(self._execution) if self.domain(split) == "code" else None

    def domain(self, split: str) -> str:
        """What the problems of a split are of; a data set has one domain."""
        return next((row["domain"] for row in self._splits[split]), "")

    def shots(self, wanted: int) -> int:
        """Exemplars in a prompt, -1 meaning all of the template."""
        return self.template.shots if wanted < 0 else wanted

    def _generate(
        self,
        number: int,
        purpose: str,
        policy: ArtifactRef,
        block: Block,
        draw: Draw,
        indices: tuple[int, int],
    ) -> ArtifactRef:
        settings = {
            "sampling": draw.sampling,
            "seed": draw.seed,
            "shots": draw.shots,
            "engine": self._engine,
            "dtype": self._dtype,
            "prompt": self.template.digest,
            "problems": block.digest,
            "samples": list(indices),
        }
        call = generate_call(
            f"generate {purpose} p{number} {_place(block, *indices)}",
            settings,
            policy,
            self._problems,
            {**block.to_json(), "template": self._prompt},
        )
        return self._caller.call(call, number, f"generate {purpose}")


def _place(block: Block, first: int, last: int) -> str:
    return f"[{block.start}:{block.stop}]x[{first}:{last}]"
