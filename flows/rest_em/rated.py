"""Rewards of training samples by a judge or a reward model, where they are not the checker's.

    samples -> compare -> preferences -> fit -> reward model -> rate -> verdicts with real rewards

RLHF and RLAIF (Lee et al., arXiv 2309.00267) differ by who labels the pairs (`judge.labels`).
Direct RLAIF leaves compare and fit out (`reward.by = "judge"`), and a preference set of others
takes the place of compare (`judge.source`). What comes out are verdicts, so all rules of `filter`
and all ways of `finetune.improve` work on them as on those of a checker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
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
from tasks.dag.step_names import COMPARE, DRAW, FIT, PREFERENCE_SET, RATE, TEST, line_name
from tasks.errors import UserError
from tasks.fit.step import fit_call
from tasks.problems.step import Block
from tasks.rate.step import rate_call
from tasks.rows import Json
from tasks.settings.finetune import PREFERENCES
from tasks.settings.judge import PEOPLE, POLICY, JudgeSettings
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
        shots: Exemplars in the prompts that samples are rated with.
        people: Labels of people on the same pairs, where `judge.reference` asks for them.
        nulls: Models that were fit on shuffled labels, as many as `reward.null` asks for.
        measured: What labels and model are worth; None where nothing was labelled.
    """

    shards: Shards
    preferences: list[ArtifactRef] = field(default_factory=list[ArtifactRef])
    model: ArtifactRef | None = None
    judge: ArtifactRef | None = None
    shots: int = 0
    people: list[ArtifactRef] = field(default_factory=list[ArtifactRef])
    nulls: list[ArtifactRef] = field(default_factory=list[ArtifactRef])
    measured: ArtifactRef | None = None


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
        self.engine: Json = judge_engine(config.judge, config.sampling, config.model)

    def prepare(self) -> None:
        """Read what people labelled, so that a mistake in it is said before anything is sampled.

        Raises:
            UserError: it is nowhere, or a line or row of it is wrong.
        """
        judge, by = self._config.judge, self._config.reward.by
        if by != "model" and not compares(self._config):
            return
        if not names_set(judge):
            for field, file in (("source", judge.source), ("reference", judge.reference)):
                if file not in ("", PEOPLE):
                    _see_labels(f"judge.{field}", Path(file).expanduser())
            return
        if compares(self._config):
            raise UserError(
                "judge.source: a preference set is for the fit of a reward model; with "
                "finetune.pairs = preferences expected labels of the run's own samples"
            )
        if judge.reference:
            said = "pairs of a preference set are of other texts than the run's samples"
            raise UserError(f"judge.reference: {said}; expected none")
        call = preference_set_call(judge, self._config.seed)
        self._set = self._caller.call(call, 0, PREFERENCE_SET)
        warn_of_moved(self._caller, self._set)

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
        if self._config.reward.by != "checker" or compares(self._config):
            self.judge(policy)
        else:
            self.win_rate_judge(policy)

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
        people: list[ArtifactRef] = []
        nulls: list[ArtifactRef] = []
        own = self._set
        if compares(self._config) or (by == "model" and model is None and own is None):
            for block, scored in zip(blocks, parts, strict=True):
                preferences.append(self._compare(number, block, scored, judge))
                if self._config.judge.reference:
                    people.append(self._ask_people(number, block, scored))
        made = Rated(drawn, preferences, model, judge, shots, people, nulls)
        if by == "checker":
            return made
        if by == "model" and model is None:
            pairs, texts = (preferences, drawn.samples) if own is None else ([own], [own])
            fit = partial(self._fit, number, base, policy, pairs, texts, shots, problems=own)
            made.model = self._model = fit()
            made.nulls = [fit(shuffled=n + 1) for n in range(self._config.reward.null)]
        made.shards = self._rate_all(number, f"{DRAW} p{number}", DRAW, "train", drawn, made)
        return made

    def rate_test(self, number: int, of: int, greedy: Shards, rated: Rated) -> Shards:
        """Rate greedy answers to test problems by what rated an iteration's samples.

        Args:
            number: Of the iteration, for tables.
            of: Number of the policy that gave the answers.
            greedy: These.
            rated: What has the rater.
        """
        return self._rate_all(number, f"{TEST} p{of}", TEST, "test", greedy, rated)

    def _rate_all(
        self, number: int, label: str, purpose: str, split: str, scored: Shards, by: Rated
    ) -> Shards:
        blocks = self._sampler.blocks(split)
        rated = Shards()
        for block, part in zip(blocks, by_block(scored, len(blocks)), strict=True):
            named = f"{RATE} {label} [{block.start}:{block.stop}]"
            rated.parts.append(
                [(one, self._rate(number, named, purpose, block, one, by)) for one, _ in part]
            )
        return rated

    def _ask_people(self, number: int, block: Block, scored: list[Scored]) -> ArtifactRef:
        """The labels that the others are measured against, on the same pairs."""
        source = self._config.judge.reference
        people = self._config.judge.model_copy(
            update={"labels": "people", "source": "" if source == PEOPLE else source}
        )
        return self._compare(number, block, scored, None, people, "people")

    def _fitted(self, number: int) -> ArtifactRef | None:
        """The reward model of an earlier iteration, where it serves this one too."""
        last = self._config.reward.iterations
        return self._model if last and number >= last else None

    def _compare(
        self,
        number: int,
        block: Block,
        scored: list[Scored],
        judge: ArtifactRef | None,
        settings: JudgeSettings | None = None,
        purpose: str = DRAW,
    ) -> ArtifactRef:
        call = compare_call(
            f"{COMPARE} {purpose} p{number} [{block.start}:{block.stop}]",
            settings or self._config.judge,
            seed=self._config.seed,
            references=block.digest,
            problems=self._problems,
            hints=block.to_json(),
            samples=[sample for sample, _ in scored],
            verdicts=[verdict for _, verdict in scored],
            judge=judge,
            engine=self.engine,
        )
        return self._caller.call(call, number, line_name(COMPARE, purpose))

    def _fit(
        self,
        number: int,
        base: ArtifactRef,
        policy: ArtifactRef,
        preferences: list[ArtifactRef],
        samples: list[ArtifactRef],
        shots: int,
        *,
        problems: ArtifactRef | None = None,
        shuffled: int = 0,
    ) -> ArtifactRef:
        settings, name = self._config.reward, line_name(FIT, "null") if shuffled else FIT
        call = fit_call(
            f"{name} p{number}" + (f" {shuffled}" if shuffled else ""),
            settings,
            seed=self._config.seed,
            prompt=self._sampler.template.digest,
            shots=shots,
            template=self._sampler.prompt,
            problems=problems or self._problems,
            start=base if settings.start_from == "base" else policy,
            preferences=preferences,
            samples=samples,
            shuffled=shuffled,
        )
        return self._caller.call(call, number, name)

    def _rate(
        self,
        number: int,
        label: str,
        purpose: str,
        block: Block,
        samples: ArtifactRef,
        by: Rated,
    ) -> ArtifactRef:
        call = rate_call(
            label,
            samples,
            block.digest,
            self._problems,
            block.to_json(),
            model=by.model,
            template=self._sampler.prompt,
            prompt=self._sampler.template.digest,
            shots=by.shots,
            judge=by.judge,
            settings=self._config.judge,
            engine=self.engine,
        )
        return self._caller.call(call, number, line_name(RATE, purpose))


def _see_labels(field: str, path: Path) -> None:
    """See that a file has labels of people.

    Raises:
        UserError: naming the field, or the line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{field}: {path}: {error.strerror}; expected a file of labels") from None
    parse_labels(raw, path)


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
