"""What is measured of every policy of a run, the base included, on test problems and others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import GREEDY, Draw, Shards
from flows.rest_em.iterations import Iteration
from flows.rest_em.transfer import TransferBenchmark
from flows.rest_em.verified import Verifier
from tasks.dag.step_names import DIVERSITY, GROUP_ANSWERS, MEASURE, PASS_AT_K, TEST
from tasks.evaluate.diversity_step import diversity_call
from tasks.evaluate.step import measure_call
from tasks.score.group_step import group_call
from tasks.store.store import ArtifactRef


class Evaluator:
    """Measures the policies of a run."""

    def __init__(
        self,
        config: RestEmConfig,
        caller: Caller,
        sampler: Sampler,
        problems: ArtifactRef,
        benchmarks: Sequence[TransferBenchmark],
    ) -> None:
        """Nothing is measured yet."""
        self._config, self._caller, self._sampler = config, caller, sampler
        self._problems, self._benchmarks = problems, benchmarks

    def evaluate(self, number: int, policy: ArtifactRef, shots: int) -> Iteration:
        """Sample, check and measure a policy.

        Args:
            number: Of the policy.
            policy: The policy.
            shots: Exemplars in its prompts.
        """
        settings, sampler = self._config.evaluation, self._sampler
        greedy = Draw(self._with_limit(GREEDY), 0, shots)
        sampled = Draw(
            self._with_limit(
                {"temperature": settings.temperature, "top_k": 0, "top_p": settings.top_p}
            ),
            self._config.seed,
            shots,
            settings.samples,
        )
        now = Iteration(number, policy, Shards(), Shards(), Shards(), Shards(), self._problems)
        sets = [
            (now.greedy, TEST, "test", greedy, 0),
            (now.validation, "validation", "validation", greedy, 0),
            (now.sampled, PASS_AT_K, "test", sampled, settings.sampled_problems),
        ]
        if settings.train_problems:
            sets.insert(1, (now.train, "train", "train", greedy, settings.train_problems))
        chains = [
            chain
            for made, purpose, split, draw, limit in sets
            for chain in sampler.chains(made, number, purpose, policy, split, draw, limit)
        ]
        self._caller.drive(chains)
        now.groups = self._groups(now)
        now.metrics = self._caller.call(
            measure_call(
                f"{MEASURE} p{number}",
                settings,
                {
                    "greedy": (now.greedy.samples, now.greedy.verdicts),
                    "train": (now.train.samples, now.train.verdicts),
                    "validation": (now.validation.samples, now.validation.verdicts),
                    "sampled": (now.sampled.samples, now.sampled.verdicts),
                },
                self._problems,
                now.groups,
            ),
            number,
            MEASURE,
        )
        if settings.diversity and settings.samples:
            sampled_set = now.sampled.samples, now.sampled.verdicts
            call = diversity_call(f"{DIVERSITY} p{number}", settings, sampled_set, now.groups)
            now.diversity = self._caller.call(call, number, DIVERSITY)
        now.transfer = {
            other.name: other.solve(number, policy, self._config.model.shots)
            for other in self._benchmarks
        }
        return now

    def _groups(self, now: Iteration) -> ArtifactRef | None:
        """Which answers of the sampled test problems are equal, where there is a vote on them."""
        settings, kind = self._config.evaluation, self._sampler.domain("test")
        if kind == "code" or settings.samples < 2 or not settings.majority:
            return None
        call = group_call(
            f"{GROUP_ANSWERS} p{now.number}", now.sampled.verdicts, exact=kind != "math"
        )
        return self._caller.call(call, now.number, GROUP_ANSWERS)

    def verify(
        self, done: list[Iteration], base: ArtifactRef, shots_of: Callable[[int], int]
    ) -> None:
        """Let a verifier choose among each policy's samples of test problems.

        Args:
            done: All iterations; each gets its figures.
            base: Policy whose weights the verifier starts from.
            shots_of: Exemplars in the prompts of a policy.
        """
        which = self._config.evaluation.verifier
        sources = [one for one in done if one.drawn.parts]
        if which == "none" or not sources or not self._config.evaluation.samples:
            return
        verifier = Verifier(self._config, self._caller, self._sampler, self._problems)
        last = sources[-1]
        shots = shots_of(last.number)
        model = last.rated.model if last.rated else None
        if which == "own":
            model = verifier.fit(last.number, base, last.drawn, shots)
        assert model is not None  # the configuration says that there is one
        for now in done:
            now.verified = verifier.verify(now.number, model, now.sampled, now.groups, shots)

    def _with_limit(self, settings: dict[str, object]) -> dict[str, object]:
        return {**settings, "max_tokens": self._config.sampling.max_tokens}
