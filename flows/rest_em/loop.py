"""ReST^EM (arXiv 2312.06585, algorithm 1) as a plain loop over cached steps.

    for each iteration: evaluate p_i -> generate -> score -> select -> finetune p0 -> p_{i+1}

The loop only decides *what* to call; a `Caller` decides how: through Prefect
(flows/rest_em/flow.py), straight (benchmarks), or not at all (the plan behind `--dry-run`).
"""

from __future__ import annotations

from functools import partial

from flows.config.rest_em import RestEmConfig
from flows.machines.gpus import idle_gpus, visible_gpus
from flows.orchestrator.alarm import overfitted
from flows.orchestrator.caller import Caller
from flows.orchestrator.hub_commits import warn_of_moved
from flows.orchestrator.model_look import BASE
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import GREEDY, Draw, Shards
from flows.rest_em.blended import blended
from flows.rest_em.evaluated import Evaluator
from flows.rest_em.imports import unused_imports
from flows.rest_em.iterations import Iteration, LoopResult
from flows.rest_em.look import TEACHER, run_look
from flows.rest_em.m_step import Improved, Improver
from flows.rest_em.rated import Rewarder, compares
from flows.rest_em.relabeled import relabeled
from flows.rest_em.reward_measures import RewardMeasures
from flows.rest_em.search import Found, search
from flows.rest_em.teacher import teacher_call
from flows.rest_em.transfer import TransferBenchmark, transfer_benchmarks
from flows.rest_em.warning_lines import failed_line, overlap_lines, too_few
from flows.rest_em.wins import over_the_base
from tasks.dag.step_names import (
    BASE_MODEL,
    DRAW,
)
from tasks.evaluate.results import Metrics
from tasks.finetune.objectives import IN_GROUPS
from tasks.finetune.quantized import refuse_without_package
from tasks.policy.step import base_call
from tasks.problems.step import load_splits, problems_call
from tasks.prompts import PromptChoice, load_template
from tasks.rows import Json
from tasks.score.rewards import rewards_of
from tasks.select.decontaminate import overlapping
from tasks.settings.filter import UNCHECKED
from tasks.store.store import ArtifactRef


class Loop:
    """One run: holds what every call needs."""

    def __init__(self, config: RestEmConfig, caller: Caller) -> None:
        self.config, self.caller = config, caller
        model = config.model
        self.prompt = PromptChoice(model.prompt, model.system, model.thinking)
        load_template(self.prompt)  # a mistake in it is said before anything is done
        if not config.resources.ray_address:
            refuse_without_package(config.finetune)
        self.drawing = config.sampling
        self.benchmarks: list[TransferBenchmark] = []
        self.teacher: ArtifactRef | None = None
        self.overlapping: frozenset[str] = frozenset()

    def run(self) -> LoopResult:
        """Run all iterations, or find them in the cache."""
        config, caller = self.config, self.caller
        several = config.finetune.improve in IN_GROUPS  # processes of a fine-tune
        for text in idle_gpus(config.resources, visible_gpus(), trains=several):
            caller.warn(text)
        self.problems = caller.call(problems_call(config.data), 0, "problems")
        self.splits = load_splits(caller.store.path(self.problems))
        self.sampler = Sampler(
            caller,
            self.problems,
            self.splits,
            prompt=self.prompt,
            engine=config.sampling.engine,
            vllm_args=config.sampling.engine_args,
            dtype=config.model.dtype,
            execution=config.execution,
            resources=config.resources,
        )
        self.rewarder = Rewarder(config, caller, self.sampler, self.problems)
        self.rewarder.prepare()
        self.benchmarks = transfer_benchmarks(config, caller)
        look = run_look(config, caller, self.sampler.template, self.splits, self.benchmarks)
        base = policy = look.known(BASE, caller.call(base_call(config.model), 0, BASE_MODEL))
        if call := teacher_call(config):
            self.teacher = look.known(TEACHER, caller.call(call, 0, "teacher"))
        self.rewarder.see_judge(base)
        others = [one.problems for one in self.benchmarks]
        warn_of_moved(caller, self.problems, *others, base, self.teacher)
        outcome = LoopResult(self.problems, [], [])
        warn = partial(self._warn, outcome)
        self.measures = RewardMeasures(config, caller, self.rewarder, self.problems, warn)
        train, most = self.splits["train"], self.drawing.samples
        words = config.filter.decontaminate_ngram
        self.overlapping = overlapping([*train, *self.splits["test"]], words)
        for text in (
            *unused_imports(config.sampling.teacher, train, most),
            *overlap_lines(len(self.overlapping), len(train), words),
        ):
            self._warn(outcome, text)
        evaluator = Evaluator(config, caller, self.sampler, self.problems, self.benchmarks)
        for number in range(config.iterations + 1):
            now = evaluator.evaluate(number, policy, self._shots(number))
            outcome.iterations.append(now)
            self._warn_of_overfitting(outcome)
            if number == config.iterations or self._worse(outcome):
                break
            if config.review and number and not self._goes_on(outcome, now):
                break
            now.found = self._search(outcome, number, policy)
            now.drawn = self._draw(number, policy, now.found.temperature)
            self._warn_of_failed_rewards(outcome, now)
            self.measures.proxy(outcome.iterations)
            drawn = self._pool(outcome, now, base)
            made = self._improve(now, base, drawn)
            now.selection = made.selection
            caller.end_stage()
            if made.threshold is not None:
                self._warn(outcome, too_few(number + 1, made, self.config.filter.thresholds))
            if made.policy is None:
                break
            policy = self._blended(number + 1, made.policy, base, policy)
        self.measures.proxy(outcome.iterations)
        caller.end_stage()
        evaluator.verify(outcome.iterations, base, self._shots)
        over_the_base(config, caller, self.sampler, self.rewarder, outcome)
        return outcome

    def _search(self, outcome: LoopResult, number: int, policy: ArtifactRef) -> Found:
        """What this iteration samples and selects with."""
        shots = self._shots(number)
        config = self.config.model_copy(update={"sampling": self.drawing})
        found = search(number, config, self.caller, self.sampler, policy, shots)
        if found.words:
            self._warn(outcome, f"iteration {number}: {found.words}")
        return found

    def _draw(self, number: int, policy: ArtifactRef, temperature: float) -> Shards:
        """The E-step: N samples for each training problem, scored."""
        settings = self.drawing
        sampling = (
            {
                "temperature": temperature,
                "top_k": settings.top_k,
                "top_p": settings.top_p,
            }
            if temperature
            else GREEDY
        )
        draw = Draw(
            self._sampling(sampling),
            self.config.seed,
            self._shots(number),
            settings.samples,
            settings.enough,
            settings.hard_samples,
            self.config.filter.checked_score,
            rewards_of(self.config.filter),
            hosted=bool(settings.hosted_teacher),
            system=settings.teacher_system,
            without=self.overlapping,
            fields=tuple(settings.teacher_fields),
        )
        return self.sampler.shards(number, DRAW, self.teacher or policy, "train", draw)

    def _pool(self, outcome: LoopResult, now: Iteration, base: ArtifactRef) -> Shards:
        """What is selected from: samples of this iteration, or of all up to it."""
        now.rewarded = self._rewarded(now, base)
        if self.config.filter.pool == "last":
            return now.rewarded
        return Shards([part for one in outcome.iterations for part in one.rewarded.parts])

    def _rewarded(self, now: Iteration, base: ArtifactRef) -> Shards:
        """The drawn samples with the rewards that decide what is trained on."""
        if self.config.filter.score in UNCHECKED:
            now.relabeled = relabeled(now.number, self.config, self.caller, self.sampler, now.drawn)
            return now.relabeled
        if self.config.reward.by == "checker" and not compares(self.config):
            return now.drawn
        shots = self._shots(now.number)
        now.rated = self.rewarder.rate(now.number, base, now.policy, now.drawn, shots)
        self.measures.labels(now.number, now.drawn, now.rated)
        # Preferences stand for themselves, whatever a reward model then says.
        return now.drawn if compares(self.config) else now.rated.shards

    def _improve(self, now: Iteration, base: ArtifactRef, drawn: Shards) -> Improved:
        """The M-step: the next policy from the samples of this one."""
        assert now.found is not None
        # What has been decided by now is no part of the selection: equal rows have one key.
        decided = {"min_reward": now.found.min_reward, "search": [], "pool": "last"}
        rules = self.config.filter.model_copy(update=decided)
        config = self.config.model_copy(update={"filter": rules})
        number = now.number + 1
        improver = Improver(config, self.caller, self.sampler, self.problems, self._shots(number))
        adaptive = bool(self.drawing.enough or self.drawing.hard_samples)
        return improver.improve(number, base, now.policy, drawn, adaptive=adaptive, rated=now.rated)

    def _blended(
        self, number: int, tuned: ArtifactRef, base: ArtifactRef, last: ArtifactRef
    ) -> ArtifactRef:
        """The policy that goes on: the tuned one, or a mean of it and another."""
        other = base if self.config.finetune.blend_with == "base" else last
        shots = self._shots(number)
        return blended(number, self.config, self.caller, self.sampler, tuned, other, shots)

    def _sampling(self, settings: Json) -> Json:
        return {**settings, "max_tokens": self.config.sampling.max_tokens}

    def _shots(self, number: int) -> int:
        """Exemplars in the prompt of policy p_number."""
        model = self.config.model
        wanted = model.tuned_shots if number and model.tuned_shots >= 0 else model.shots
        return self.sampler.shots(wanted)

    def _warn_of_overfitting(self, outcome: LoopResult) -> None:
        """Raise the alarm when training makes the policy better on what it saw and worse else."""
        refs = [iteration.metrics for iteration in outcome.iterations[-2:]]
        if len(refs) < 2 or any(self.caller.pending(ref) for ref in refs):
            return
        number = outcome.iterations[-1].number
        if fall := overfitted(*map(self._metrics, refs)):
            self._warn(outcome, fall.words(number))
            self.caller.alarm(number, fall)

    def _warn_of_failed_rewards(self, outcome: LoopResult, now: Iteration) -> None:
        """Count the samples on which a reward of the user's own failed."""
        refs = now.drawn.verdicts
        rewards = rewards_of(self.config.filter)
        if rewards is None or any(self.caller.pending(ref) for ref in refs):
            return
        stats = [self.caller.store.manifest(ref).stats for ref in refs]
        total = sum(ref.rows for ref in refs)
        if said := failed_line(now.number, rewards.label, stats, total):
            self._warn(outcome, said)

    def _goes_on(self, outcome: LoopResult, now: Iteration) -> bool:
        """Whether the person who reviews the iteration lets the loop go on, and how it samples."""
        self.caller.end_stage()
        if self.caller.pending(now.metrics):
            return True
        review = self.caller.review(now.number, self.drawing, self._metrics(now.metrics))
        if review is None:
            return True
        if said := review.words(now.number, self.drawing):
            self._warn(outcome, said)
        self.drawing = self.drawing.model_copy(update=review.changes)
        return review.decision == "continue"

    def _worse(self, outcome: LoopResult) -> bool:
        """Whether validation says to end the loop here."""
        if not self.config.stop_on_validation or len(outcome.iterations) < 2:
            return False
        before, now = outcome.iterations[-2:]
        if self.caller.pending(before.metrics) or self.caller.pending(now.metrics):
            return False
        values = [self._metrics(i.metrics).metrics["validation"].value for i in (before, now)]
        if values[1] < values[0]:
            self._warn(
                outcome,
                f"iteration {now.number}: validation accuracy fell from {values[0]:.3f} to "
                f"{values[1]:.3f}; the loop ends here",
            )
            return True
        return False

    def _warn(self, outcome: LoopResult, text: str) -> None:
        """Say it now, and in the report."""
        self.caller.warn(text)
        outcome.warnings.append(text)

    def _metrics(self, ref: ArtifactRef) -> Metrics:
        return Metrics.read(self.caller.store.path(ref))
