"""The M-step of one iteration: which rows, how often, from which policy, in which way.

ReST^EM (arXiv 2312.06585, section 3): one selection, one fine-tune of the base policy. What the
methods beside it do otherwise is a field of the configuration each:

- `filter.thresholds`: several Improve steps with rising thresholds, each from the policy of the one
  before (ReST, arXiv 2308.08998, algorithm 1);
- `finetune.start_from`: the first of them starts from the base or from the last policy;
- `finetune.improve`: likelihood of accepted samples, preference between samples, or a policy
  gradient on samples of the policy's own (`rl`), which is given the problems and a reward.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.judge import judge_engine
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Shards
from flows.rest_em.rated import Rated
from tasks.dag.step import Call
from tasks.dag.step_names import FINETUNE, LABELLED_ROWS, PAIRS, PROMPTS, SELECT
from tasks.finetune.number_format import CONFIG, FLOAT32, format_of
from tasks.finetune.objectives import OBJECTIVES
from tasks.finetune.reward_source import RewardSource
from tasks.finetune.step import finetune_call
from tasks.select.prompts import prompts_call
from tasks.select.step import labelled_call, pairs_call, select_call
from tasks.settings import FilterSettings
from tasks.store.store import ArtifactRef


@dataclass
class Improved:
    """What an M-step gave; without a policy there was nothing to train on.

    Attributes:
        selection: Rows of the first Improve step, which has the lowest threshold; None of `rl`,
            which selects none.
        policy: The improved policy.
        threshold: Of the Improve step that found no row, if one did.
    """

    selection: ArtifactRef | None
    policy: ArtifactRef | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Improver:
    """Makes policy p_number from scored samples.

    Attributes:
        sampler: Knows blocks and the sandbox.
        shots: Exemplars in the prompt that the policy is trained on.
    """

    config: RestEmConfig
    caller: Caller
    sampler: Sampler
    problems: ArtifactRef
    shots: int

    def improve(
        self,
        number: int,
        base: ArtifactRef,
        last: ArtifactRef,
        drawn: Shards,
        *,
        adaptive: bool,
        rated: Rated | None = None,
    ) -> Improved:
        """Run all Improve steps of an iteration, which make policy p_number.

        Args:
            number: Of the iteration, from 1.
            base: Where training starts if `finetune.start_from` is `base`.
            last: The policy that `drawn` was sampled from.
            drawn: Scored samples.
            adaptive: Whether verdicts decided how many samples a problem got.
            rated: Preferences, reward model and judge, where there are any.
        """
        if OBJECTIVES[self.config.finetune.improve].prompts:
            return self._reinforce(number, base, last, rated)
        settings = self.config.filter
        several = settings.thresholds or [settings.min_reward]
        start = base if self.config.finetune.start_from == "base" else last
        first: ArtifactRef | None = None
        for step, threshold in enumerate(several):
            label = f"{number}" if len(several) == 1 else f"{number} step {step + 1}"
            rules = settings.model_copy(update={"min_reward": threshold, "thresholds": []})
            group = f"{SELECT}, step {step + 1}" if step else SELECT
            rows = self.caller.call(
                self._select(label, rules, base, drawn, adaptive, rated), number, group
            )
            first = first or rows
            if rows.rows == 0:
                # Higher thresholds keep no more; what the earlier steps made stands.
                return Improved(first, start if step else None, threshold)
            if not step:
                self.caller.end_stage()
            call = self._finetune(label, start, rows, base=base)
            start = self.caller.call(call, number, FINETUNE)
        assert first is not None
        return Improved(first, start)

    def _reinforce(
        self, number: int, base: ArtifactRef, last: ArtifactRef, rated: Rated | None
    ) -> Improved:
        """The M-step of rl: prompts, and a fine-tune that draws its own samples."""
        caller, config = self.caller, self.config
        call = prompts_call(
            f"{PROMPTS} {number}",
            decontaminate_ngram=config.filter.decontaminate_ngram,
            prompt=self.sampler.template.digest,
            shots=self.shots,
            template=self.sampler.prompt,
            problems=self.problems,
            chat=base if self.sampler.template.form == "chat" else None,
        )
        prompts = caller.call(call, number, PROMPTS)
        caller.end_stage()
        reward = RewardSource(
            config.reward.by,
            self.problems,
            model=rated.model if rated else None,
            judge=rated.judge if rated else None,
            settings=config.judge,
            engine=judge_engine(config.judge, config.sampling, config.model),
            checking=self.sampler.checking("train"),
        )
        start = base if config.finetune.start_from == "base" else last
        call = self._finetune(f"{number}", start, prompts, reward)
        return Improved(None, caller.call(call, number, FINETUNE))

    def _select(
        self,
        label: str,
        rules: FilterSettings,
        base: ArtifactRef,
        drawn: Shards,
        adaptive: bool,
        rated: Rated | None,
    ) -> Call:
        objective = OBJECTIVES[self.config.finetune.improve]
        preferred, both = objective.pairs, objective.labels or bool(rules.wrong_weight)
        made = PAIRS if preferred else LABELLED_ROWS if both else SELECT
        call = select_call(
            f"{made} {label}",
            rules,
            seed=self.config.seed,
            prompt=self.sampler.template.digest,
            shots=self.shots,
            template=self.sampler.prompt,
            chat=base if self.sampler.template.form == "chat" else None,
            problems=self.problems,
            samples=drawn.samples,
            verdicts=drawn.verdicts,
            adaptive=adaptive,
        )
        if not preferred:
            return labelled_call(call) if both else call
        return pairs_call(call, self.config.finetune.pairs, rated.preferences if rated else ())

    def _finetune(
        self,
        label: str,
        start: ArtifactRef,
        rows: ArtifactRef,
        reward: RewardSource | None = None,
        base: ArtifactRef | None = None,
    ) -> Call:
        validation: dict[str, object] = {
            "prompt": self.sampler.template.digest,
            "shots": self.shots,
            "max_tokens": self.config.sampling.max_tokens,
            "problems": [b.digest for b in self.sampler.blocks("validation", 0)],
        }
        validation |= self.sampler.checking("validation")
        return finetune_call(
            f"{FINETUNE} {label}",
            self.config.finetune,
            seed=self.config.seed,
            validation=validation,
            template=self.sampler.prompt,
            problems=self.problems,
            start=start,
            rows=rows,
            number_format=self._number_format(start),
            reward=reward,
            reference=base if self.config.finetune.reference == "base" and base != start else None,
        )

    def _number_format(self, policy: ArtifactRef) -> str:
        """A policy's, which the next one has as well; nobody knows that of a planned one."""
        if self.caller.pending(policy):
            return FLOAT32
        return format_of(json.loads(self.caller.store.read(policy, CONFIG)))
