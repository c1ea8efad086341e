"""Rewards of training samples by a judge or a reward model, where they are not the checker's.

    samples -> compare -> preferences -> fit -> reward model -> rate -> verdicts with real rewards

RLHF and RLAIF (Lee et al., arXiv 2309.00267) differ by who labels the pairs (`judge.labels`).
Direct RLAIF leaves compare and fit out (`reward.by = "judge"`), and a preference set of others
takes the place of compare (`judge.source`). What comes out are verdicts, so all rules of `filter`
and all ways of `finetune.improve` work on them as on those of a checker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.hub_commits import warn_of_moved
from flows.orchestrator.judge import judge_call, judge_engine
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Scored, Shards
from tasks.compare.people import parse_labels
from tasks.compare.preference_set import names_set, preference_set_call
from tasks.compare.step import compare_call
from tasks.dag.step_names import COMPARE, DRAW, FIT, PREFERENCE_SET, RATE, line_name
from tasks.fit.step import fit_call
from tasks.problems.step import Block
from tasks.rate.step import rate_call
from tasks.settings.finetune import PREFERENCES
from tasks.settings.judge import POLICY
from tasks.store.store import ArtifactRef


@dataclass
class Rated:
    """What an iteration's samples got.

    Attributes:
        shards: Samples with real-valued verdicts.
        preferences: Labelled pairs, block by block; none where a judge rates directly, or where the
            pairs are of other texts.
        model: The reward model; None where there is none.
        judge: The model that is asked; None where none is.
    """

    shards: Shards
    preferences: list[ArtifactRef] = field(default_factory=list[ArtifactRef])
    model: ArtifactRef | None = None
    judge: ArtifactRef | None = None


class Rewarder:
    """Rewards the samples of a run's iterations."""

    def __init__(
        self, config: RestEmConfig, caller: Caller, sampler: Sampler, problems: ArtifactRef
    ) -> None:
        """Nothing is asked yet."""
        self._config, self._caller, self._sampler = config, caller, sampler
        self._problems = problems
        self._judge: ArtifactRef | None = None
        self._model: ArtifactRef | None = None
        self._set: ArtifactRef | None = None
        self.engine = judge_engine(config.judge, config.sampling, config.model)

    def prepare(self) -> None:
        """Read what people labelled, so that a mistake in it is said before anything is sampled.

        Raises:
            UserError: it is nowhere, or a line or row of it is wrong.
        """
        judge = self._config.judge
        if self._config.reward.by != "model" or not judge.source:
            return
        if names_set(judge):
            call = preference_set_call(judge, self._config.seed)
            self._set = self._caller.call(call, 0, PREFERENCE_SET)
            warn_of_moved(self._caller, self._set)
        else:
            path = Path(judge.source).expanduser()
            parse_labels(path.read_bytes(), path)

    def judge(self, policy: ArtifactRef) -> ArtifactRef | None:
        """The model that judges samples of `policy`; None where people do, or the oracle."""
        settings = self._config.judge
        if self._config.reward.by != "judge" and settings.labels != "judge":
            return None
        if settings.model == POLICY:
            return policy
        if self._judge is None:
            self._judge = self._caller.call(judge_call(settings, self._config.model), 0, "judge")
        return self._judge

    def win_rate_judge(self, base: ArtifactRef) -> ArtifactRef | None:
        """The model that judges win rates, one for all policies; None where none is named.

        Where policies judge themselves it is the base.
        """
        settings = self._config.judge
        asked = settings.labels == "judge" or self._config.reward.by == "judge"
        return self.judge(base) if asked and settings.model else None

    def see_judge(self, policy: ArtifactRef) -> None:
        """Bring the judge, if one is asked: that it cannot judge is said before samples are drawn.

        Args:
            policy: p_0.
        """
        if self._config.reward.by != "checker":
            self.judge(policy)

    def rate(
        self, number: int, base: ArtifactRef, policy: ArtifactRef, drawn: Shards, shots: int
    ) -> Rated:
        """Reward the samples that make policy p_number+1.

        Args:
            number: Of the policy that drew them.
            base: p_0.
            policy: p_number.
            drawn: Samples with the checker's verdicts.
            shots: Exemplars in the prompt of each sample.
        """
        blocks = self._sampler.blocks("train")
        parts = by_block(drawn, len(blocks))
        judge = self.judge(policy)
        by = self._config.reward.by
        model = self._fitted(number) if by == "model" else None
        preferences: list[ArtifactRef] = []
        own = self._set
        fits = by == "model" and model is None
        if own is None and (fits or compares(self._config)):
            for block, scored in zip(blocks, parts, strict=True):
                preferences.append(self._compare(number, block, scored, judge))
        if by == "checker":
            return Rated(drawn, preferences, judge=judge)
        if fits and own is not None:
            model = self._fit(number, base, policy, [own], [own], shots, problems=own)
        elif fits:
            model = self._fit(number, base, policy, preferences, drawn.samples, shots)
        rated = Shards()
        for block, scored in zip(blocks, parts, strict=True):
            rated.parts.append(
                [(one, self._rate(number, block, one, model, judge, shots)) for one, _ in scored]
            )
        return Rated(rated, preferences, model, judge)

    def _fitted(self, number: int) -> ArtifactRef | None:
        """The reward model of an earlier iteration, where it serves this one too."""
        last = self._config.reward.iterations
        return self._model if last and number >= last else None

    def _compare(
        self, number: int, block: Block, scored: list[Scored], judge: ArtifactRef | None
    ) -> ArtifactRef:
        call = compare_call(
            f"{COMPARE} {DRAW} p{number} [{block.start}:{block.stop}]",
            self._config.judge,
            seed=self._config.seed,
            references=block.digest,
            problems=self._problems,
            hints=block.to_json(),
            samples=[sample for sample, _ in scored],
            verdicts=[verdict for _, verdict in scored],
            judge=judge,
            engine=self.engine,
        )
        return self._caller.call(call, number, line_name(COMPARE, DRAW))

    def _fit(
        self,
        number: int,
        base: ArtifactRef,
        policy: ArtifactRef,
        preferences: list[ArtifactRef],
        samples: list[ArtifactRef],
        shots: int,
        problems: ArtifactRef | None = None,
    ) -> ArtifactRef:
        settings = self._config.reward
        call = fit_call(
            f"{FIT} p{number}",
            settings,
            seed=self._config.seed,
            prompt=self._sampler.template.digest,
            shots=shots,
            template=self._sampler.prompt,
            problems=problems or self._problems,
            start=base if settings.start_from == "base" else policy,
            preferences=preferences,
            samples=samples,
        )
        self._model = self._caller.call(call, number, FIT)
        return self._model

    def _rate(
        self,
        number: int,
        block: Block,
        samples: ArtifactRef,
        model: ArtifactRef | None,
        judge: ArtifactRef | None,
        shots: int,
    ) -> ArtifactRef:
        call = rate_call(
            f"{RATE} {DRAW} p{number} [{block.start}:{block.stop}]",
            samples,
            block.digest,
            self._problems,
            block.to_json(),
            model=model,
            template=self._sampler.prompt,
            prompt=self._sampler.template.digest,
            shots=shots,
            judge=judge,
            settings=self._config.judge,
            engine=self.engine,
        )
        return self._caller.call(call, number, line_name(RATE, DRAW))


def compares(config: RestEmConfig) -> bool:
    """Whether a run trains on preferences themselves."""
    finetune = config.finetune
    return finetune.improve == "dpo" and finetune.pairs == PREFERENCES


def by_block(drawn: Shards, blocks: int) -> list[list[Scored]]:
    """The scored shards of each block of problems; all blocks have as many parts."""
    each = len(drawn.parts) // blocks
    return [
        [one for part in drawn.parts[start : start + each] for one in part]
        for start in range(0, len(drawn.parts), each)
    ]
