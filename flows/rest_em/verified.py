"""A verifier at test time (`evaluation.verifier`): fit once, and used on every policy's samples.

    right and wrong samples drawn for training -> compare -> fit -> rate test samples -> verify

The verifier is fit on samples of the last policy that samples were drawn from, and so on training
problems alone (V-STaR, arXiv 2402.06457); or it is the run's reward model.
"""

from __future__ import annotations

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Shards
from flows.rest_em.rated import by_block
from tasks.compare.step import compare_call
from tasks.dag.step_names import COMPARE, FIT, PASS_AT_K, RATE, VERIFY, line_name
from tasks.evaluate.verified_step import verify_call
from tasks.fit.step import fit_call
from tasks.rate.step import rate_call
from tasks.settings.judge import JudgeSettings
from tasks.store.store import ArtifactRef

# In lines of the journal, beside those of a run's own judge and reward model.
_FOR = "verifier"


class Verifier:
    """Fits a verifier and holds it against the plain vote."""

    def __init__(
        self, config: RestEmConfig, caller: Caller, sampler: Sampler, problems: ArtifactRef
    ) -> None:
        """Nothing is fit yet."""
        self._config, self._caller, self._sampler = config, caller, sampler
        self._problems = problems

    def fit(self, number: int, start: ArtifactRef, drawn: Shards, shots: int) -> ArtifactRef:
        """A reward model of right over wrong samples.

        Args:
            number: Of the policy that drew the samples.
            start: Policy whose weights it starts from.
            drawn: Samples of training problems with the checker's verdicts.
            shots: Exemplars in the prompt of each sample.
        """
        config, blocks = self._config, self._sampler.blocks("train")
        settings = JudgeSettings(labels="oracle", pairs=config.judge.pairs)
        preferences: list[ArtifactRef] = []
        for block, scored in zip(blocks, by_block(drawn, len(blocks)), strict=True):
            call = compare_call(
                f"{COMPARE} {_FOR} p{number} [{block.start}:{block.stop}]",
                settings,
                seed=config.seed,
                references=block.digest,
                problems=self._problems,
                hints=block.to_json(),
                samples=[sample for sample, _ in scored],
                verdicts=[verdict for _, verdict in scored],
                judge=None,
                engine={},
                unlike=True,
            )
            preferences.append(self._caller.call(call, number, line_name(COMPARE, _FOR)))
        call = fit_call(
            f"{FIT} {_FOR} p{number}",
            config.reward,
            seed=config.seed,
            prompt=self._sampler.template.digest,
            shots=shots,
            template=self._sampler.prompt,
            problems=self._problems,
            start=start,
            preferences=preferences,
            samples=drawn.samples,
        )
        return self._caller.call(call, number, line_name(FIT, _FOR))

    def verify(
        self,
        number: int,
        verifier: ArtifactRef,
        sampled: Shards,
        groups: ArtifactRef | None,
        shots: int,
    ) -> ArtifactRef:
        """Figures of a policy's samples of test problems.

        Args:
            number: Of the policy.
            verifier: The reward model.
            sampled: The samples with the checker's verdicts.
            groups: Of equal answers among them; None where there is no vote.
            shots: Exemplars in the prompt that the verifier was fit with.
        """
        settings = self._config.evaluation
        blocks = self._sampler.blocks("test", settings.sampled_problems)
        rated: list[ArtifactRef] = []
        for block, scored in zip(blocks, by_block(sampled, len(blocks)), strict=True):
            for sample, _ in scored:
                call = rate_call(
                    f"{RATE} {PASS_AT_K} p{number} [{block.start}:{block.stop}]",
                    sample,
                    block.digest,
                    self._problems,
                    block.to_json(),
                    model=verifier,
                    template=self._sampler.prompt,
                    prompt=self._sampler.template.digest,
                    shots=shots,
                )
                rated.append(self._caller.call(call, number, line_name(RATE, PASS_AT_K)))
        sets = sampled.samples, sampled.verdicts
        call = verify_call(f"{VERIFY} p{number}", settings, sets, rated, groups)
        return self._caller.call(call, number, VERIFY)
