"""Samples of one set of problems by one policy, with verdicts, shard by shard.

A shard is a block of problems by a block of sample indices, each its own cached call, so a killed
run repeats little, and more samples or problems add shards without touching those there are. A
shard is scored while the next are sampled (flows/orchestrator/pipeline.py). The loop and the
evaluation of any model draw through this file: there is one way to sample and one way to check.

With `enough` or `hard_samples` the number of samples depends on the problem: each block of indices
asks which problems go on, from the verdicts on the blocks before it. Problems of a draw's `without`
are left out of all. A shard in which all go on has the key that it has without these settings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from flows.orchestrator.caller import Caller
from flows.orchestrator.pipeline import Chain, StepRequest
from flows.orchestrator.shards import Draw, Scored, Shards
from tasks.dag.step import Call
from tasks.dag.step_names import GENERATE, SCORE, line_name
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.generate.imported import ROLLOUTS, imported_call
from tasks.generate.step import generate_call
from tasks.problems.step import Block, cut_blocks
from tasks.prompts import PromptChoice, PromptTemplate, load_template
from tasks.rows import VERDICTS_FILE, Row, read_rows
from tasks.score.step import Checking, checking, score_call
from tasks.settings import ExecutionSettings, Resources
from tasks.settings.vllm_args import VllmArgs
from tasks.store.store import ArtifactRef


class Sampler:
    """Draws and scores samples of one artifact of problems with one prompt template."""

    def __init__(
        self,
        caller: Caller,
        problems: ArtifactRef,
        splits: dict[str, list[Row]],
        *,
        prompt: str | PromptChoice,
        engine: str,
        dtype: str,
        execution: ExecutionSettings,
        resources: Resources,
        vllm_args: VllmArgs | None = None,
    ) -> None:
        """Nothing is drawn yet.

        Args:
            caller: Calls the steps.
            problems: The problems.
            splits: Their rows, by split.
            prompt: The template, and what else is said of prompts.
            engine: Sampling engine.
            dtype: Its number format.
            execution: Limits of programs.
            resources: Sizes of shards.
            vllm_args: What vLLM is told besides (`sampling.vllm_args`).
        """
        self.prompt = PromptChoice(prompt) if isinstance(prompt, str) else prompt
        self.template: PromptTemplate = load_template(self.prompt)
        self._caller, self._problems, self._splits = caller, problems, splits
        self._engine, self._dtype, self._vllm_args = engine, dtype, vllm_args
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
        made = Shards()
        self._caller.drive(self.chains(made, number, purpose, policy, split, draw, limit))
        return made

    def chains(
        self,
        made: Shards,
        number: int,
        purpose: str,
        policy: ArtifactRef,
        split: str,
        draw: Draw,
        limit: int = 0,
    ) -> list[Chain]:
        """What `shards` does, to be driven together with other chains; it fills `made`."""
        step = self._resources.shard_samples
        most = max(draw.samples, draw.hard_samples)
        # A block ends where the plain samples do, so that these keep the keys they have alone.
        plain = range(step, draw.samples, step)
        further = range(draw.samples, most, step)
        ends = sorted({*plain, *further, most} - {0})
        ranges = list(pairwise([0, *ends]))
        chains: list[Chain] = []
        for block in self.blocks(split, limit):
            together = draw.adaptive or draw.whole
            parts = [ranges] if together else [[one] for one in ranges]
            for part in parts:
                place = len(made.parts)
                made.parts.append([])
                chains.append(
                    self._chain(made.parts[place], number, purpose, policy, block, draw, part)
                )
        return chains

    def _chain(
        self,
        part: list[Scored],
        number: int,
        purpose: str,
        policy: ArtifactRef,
        block: Block,
        draw: Draw,
        ranges: list[tuple[int, int]],
    ) -> Chain:
        """Sample and score a block of problems, one range of sample indices after the other."""
        known: Counter[str] = Counter()
        drawn: list[tuple[str, ArtifactRef]] = []
        ids = [row["id"] for row in self._splits[block.split][block.start : block.stop]]
        for first, last in ranges:
            going = [
                i
                for i, name in enumerate(ids)
                if name not in draw.without and draw.goes_on(first, known[name])
            ]
            if not going:
                break
            place = f"[{block.start}:{block.stop}]x[{first}:{last}]"
            only = going if len(going) < len(ids) else None
            call = self._generate(
                f"{GENERATE} {purpose} p{number} {place}", policy, block, draw, (first, last), only
            )
            sample = yield StepRequest(GENERATE, call, number, line_name(GENERATE, purpose))
            drawn.append((f"{SCORE} {purpose} p{number} {place}", sample))
            if draw.whole:
                continue
            verdict = yield self._score(*drawn[-1], number, purpose, block, draw)
            part.append((sample, verdict))
            if draw.adaptive and not self._caller.pending(verdict):
                rows = read_rows(self._caller.store.path(verdict) / VERDICTS_FILE)
                known.update(row["problem_id"] for row in rows if row["status"] == "correct")
        for label, sample in drawn if draw.whole else ():
            others = [other for _, other in drawn if other is not sample]
            verdict = yield self._score(label, sample, number, purpose, block, draw, others)
            part.append((sample, verdict))

    def _score(
        self,
        label: str,
        sample: ArtifactRef,
        number: int,
        purpose: str,
        block: Block,
        draw: Draw,
        others: Sequence[ArtifactRef] = (),
    ) -> StepRequest:
        """Asks for the verdicts on a shard."""
        call = score_call(
            label,
            sample,
            block.digest,
            self._problems,
            block.to_json(),
            **self.checking(block.split, block.start, block.stop),
            score=draw.score,
            rewards=draw.rewards,
            others=others,
        )
        return StepRequest(SCORE, call, number, line_name(SCORE, purpose))

    def blocks(self, split: str, limit: int = 0) -> list[Block]:
        """The first `limit` problems (0: all) of a split, in blocks."""
        return cut_blocks(self._splits[split], split, self._resources.shard_problems, limit)

    def checking(self, split: str, start: int = 0, stop: int | None = None) -> Checking:
        """What decides verdicts on problems of a split, as keys have it; nothing for math."""
        domains = [row["domain"] for row in self._splits[split][start:stop]]
        return checking(domains, self._execution)

    def domain(self, split: str) -> str:
        """What the problems of a split are of, which for test is one."""
        return next((row["domain"] for row in self._splits[split]), "")

    def shots(self, wanted: int) -> int:
        """Exemplars in a prompt, -1 meaning all of the template."""
        return self.template.shots if wanted < 0 else wanted

    def _engine_settings(self, draw: Draw) -> dict[str, object]:
        if not draw.hosted:
            told = {"vllm_args": self._vllm_args} if self._vllm_args else {}
            return {"engine": self._engine, "dtype": self._dtype, **told}
        said = {"system": draw.system, "fields": sorted(set(draw.fields))}
        return {"engine": HOSTED_ENGINE, **{name: one for name, one in said.items() if one}}

    def _generate(
        self,
        label: str,
        policy: ArtifactRef,
        block: Block,
        draw: Draw,
        indices: tuple[int, int],
        only: list[int] | None,
    ) -> Call:
        settings = {
            "sampling": draw.sampling,
            "seed": draw.seed,
            "shots": draw.shots,
            **self._engine_settings(draw),
            "prompt": self.template.digest,
            "problems": block.digest,
            "samples": list(indices),
        }
        if only is not None:
            settings["only"] = only
        hints = {**block.to_json(), **self.prompt.hints()}
        make = imported_call if policy.kind == ROLLOUTS else generate_call
        return make(label, settings, policy, self._problems, hints)
