"""`restem evaluate`: any policy on any benchmark, with intervals, and against another policy.

The protocol is the paper's (Singh et al., arXiv 2312.06585, section 5): greedy accuracy, pass@k at
temperature 1.0 and top-p 0.95, majority vote. What is added: an interval on every number, tests on
the same problems of both policies, and every sample with its verdict in one table.

    for each policy, for each benchmark: generate -> score -> group -> measure
    with a judge, for each benchmark: compare answers -> win rates;  then one summary

Steps are those of the loop, so what a run has sampled of a benchmark is found in the cache. The
engine of a policy is started once for all benchmarks.
"""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow

from flows.config.benchmarks import BENCHMARKS, Benchmark
from flows.config.evaluate import EvaluateConfig
from flows.evaluate.results import Evaluated, EvaluationResults, greedy_of
from flows.evaluate.summary import results_call
from flows.evaluate.tables import results_text
from flows.machines.gpus import idle_gpus, visible_gpus
from flows.orchestrator.api_limits import checked
from flows.orchestrator.caller import Caller
from flows.orchestrator.hub_commits import warn_of_moved
from flows.orchestrator.judge import FIELD as JUDGE
from flows.orchestrator.judge import named_judge, spelled_judge
from flows.orchestrator.model_look import ModelLook, Use, shortest_of
from flows.orchestrator.run_name import named_by
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.session import session
from flows.orchestrator.shards import Draw, Shards
from flows.orchestrator.win_rates import AskedJudge, WinRater
from flows.runs.policies import is_source, policy_of, spelled_out
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.dag.step_names import GROUP_ANSWERS, MEASURE, PASS_AT_K
from tasks.evaluate.step import measure_call
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.model_checks.question import Fields
from tasks.policy.step import base_call
from tasks.problems.step import benchmark_call, load_splits
from tasks.rows import Row
from tasks.score.group_step import group_call
from tasks.settings import BenchmarkName, ModelSettings
from tasks.settings.vllm_args import parse_vllm_args
from tasks.store.store import ArtifactRef

FLOW = "evaluate"


@dataclass(frozen=True)
class _Asked:
    """A benchmark as this evaluation asks it."""

    name: BenchmarkName
    how: Benchmark
    problems: ArtifactRef
    rows: list[Row]
    sampler: Sampler


class Evaluation:
    """One evaluation: holds what every call needs."""

    def __init__(
        self, config: EvaluateConfig, caller: Caller, opened: EvaluateConfig | None = None
    ) -> None:
        """`opened` names what is read, `config` what it is called (flows/orchestrator)."""
        self.config, self.caller, self.opened = config, caller, opened or config

    def run(self) -> list[Evaluated]:
        """Evaluate every policy on every benchmark, or find it done.

        Policies are numbered as in a run: 0 is the one to compare with, where there is one.
        """
        for text in idle_gpus(self.opened.resources, visible_gpus(), trains=False):
            self.caller.warn(text)
        names = [name for name in (self.config.against, self.config.model) if name]
        opened = [name for name in (self.opened.against, self.opened.model) if name]
        asked = [self._ask(name) for name in self.config.on]
        look = self._look(asked)
        policies = [self._policy(number, name, look) for number, name in enumerate(opened)]
        judge = self._judge()
        told = [judge.model] if judge else []
        warn_of_moved(self.caller, *policies, *told, *(one.problems for one in asked))
        done = []
        for number, (name, policy) in enumerate(zip(names, policies, strict=True)):
            done += [self._evaluate(number, name, policy, one) for one in asked]
            self.caller.end_stage()
        if self.config.judge.model:
            self._rate_wins(asked, done, judge)
        return done

    def _judge(self) -> AskedJudge | None:
        """The model that prefers; looked for before anything is sampled."""
        settings = self.opened.judge
        if not settings.is_model:
            return None
        load_judge_prompt(settings.prompt)
        vllm = parse_vllm_args(self.opened.vllm_args)
        engine = {"engine": self.opened.engine, "dtype": self.opened.dtype}
        engine |= {"vllm_args": vllm} if vllm else {}
        asked = settings.asked
        if asked.hosted:
            engine = {"engine": HOSTED_ENGINE}
        model = named_judge(
            asked, self.caller.store, lambda call: self.caller.call(call, 0, "judge"), JUDGE
        )
        return AskedJudge(model, asked, engine)

    def _rate_wins(
        self, asked: list[_Asked], done: list[Evaluated], judge: AskedJudge | None
    ) -> None:
        """Measure how often the policy's answers are preferred to those of the other."""
        settings = self.config.judge
        others, policies = done[: len(asked)], done[len(asked) :]
        for how, other, first in zip(asked, others, policies, strict=True):
            rater = WinRater(self.caller, how.sampler, how.problems, self.config.measure, judge)
            sets, limit = (first.greedy, other.greedy), 0
            if settings.answers == "sampled":
                sets, limit = (first.sampled, other.sampled), self.config.measure.sampled_problems
            first.win_rates = rater.rate(first.number, *sets, how.name, limit)
        self.caller.end_stage()

    def _ask(self, name: BenchmarkName) -> _Asked:
        config, how = self.opened, BENCHMARKS[name]
        call = benchmark_call(
            how.data, config.sources.get(name, ""), config.data_seed, config.limit
        )
        problems = self.caller.call(call, 0, "problems")
        splits = load_splits(self.caller.store.path(problems))
        sampler = Sampler(
            self.caller,
            problems,
            splits,
            prompt=config.prompts.get(name, how.prompt),
            engine=config.engine,
            vllm_args=parse_vllm_args(config.vllm_args),
            dtype=config.dtype,
            execution=config.execution,
            resources=config.resources,
        )
        return _Asked(name, how, problems, splits["test"], sampler)

    def _look(self, asked: list[_Asked]) -> ModelLook:
        """Each policy is looked at before it is sampled, for all benchmarks."""
        uses = [
            Use(
                prompt=one.sampler.prompt,
                max_tokens=self._max_tokens(one),
                shortest=shortest_of(one.rows, one.sampler.shots(self.config.shots)),
                fields=Fields("engine", "dtype", f"max_tokens.{one.name}", f"prompts.{one.name}"),
            )
            for one in asked
        ]
        return ModelLook(
            self.caller,
            engine=self.config.engine,
            dtype=self.config.dtype,
            resources=self.opened.resources,
            uses=lambda field: [] if field == JUDGE else uses,
        )

    def _policy(self, number: int, name: str, look: ModelLook) -> ArtifactRef:
        field = "against" if name == self.opened.against else "model"
        if is_source(name):
            call = base_call(ModelSettings(base=name), field)
            return look.known(field, self.caller.call(call, number, "policy"))
        return look.known(field, policy_of(name, self.caller.store, field))

    def _max_tokens(self, asked: _Asked) -> int:
        return self.config.max_tokens.get(asked.name, asked.how.max_tokens)

    def _evaluate(self, number: int, label: str, policy: ArtifactRef, asked: _Asked) -> Evaluated:
        name, how, settings = asked.name, asked.how, self.config.measure
        tokens = self._max_tokens(asked)
        shots = asked.sampler.shots(self.config.shots)
        # A greedy solution does not depend on a seed; 0 lets every evaluation share it.
        seed = self.config.seed if how.temperature else 0
        first = Draw({**how.first, "max_tokens": tokens}, seed, shots)
        drawn = Draw(
            {
                "temperature": settings.temperature,
                "top_k": 0,
                "top_p": settings.top_p,
                "max_tokens": tokens,
            },
            self.config.seed,
            shots,
            0 if how.by_hand else settings.samples,
        )
        sampler, limit = asked.sampler, settings.sampled_problems
        evaluated = Evaluated(
            name,
            number,
            label,
            asked.problems,
            policy,
            sampler.shards(number, greedy_of(name), policy, "test", first),
            sampler.shards(number, f"{name} {PASS_AT_K}", policy, "test", drawn, limit),
        )
        if how.by_hand:
            return evaluated
        if how.vote and drawn.samples > 1 and settings.majority:
            evaluated.groups = self._group(number, asked, evaluated.sampled)
        evaluated.metrics = self.caller.call(
            measure_call(
                f"{MEASURE} {name} p{number}",
                settings,
                {
                    "greedy": (evaluated.greedy.samples, evaluated.greedy.verdicts),
                    "sampled": (evaluated.sampled.samples, evaluated.sampled.verdicts),
                },
                asked.problems,
                evaluated.groups,
            ),
            number,
            f"{MEASURE} {name}",
        )
        return evaluated

    def _group(self, number: int, asked: _Asked, sampled: Shards) -> ArtifactRef:
        exact = asked.sampler.domain("test") != "math"
        call = group_call(f"{GROUP_ANSWERS} {asked.name} p{number}", sampled.verdicts, exact=exact)
        return self.caller.call(call, number, f"{GROUP_ANSWERS} {asked.name}")


@flow(name=FLOW, flow_run_name=named_by(lambda config: config.run_id), validate_parameters=True)
def evaluate(config: EvaluateConfig) -> dict[str, str]:
    """Measure a policy on benchmarks and return where the report and the results are."""
    opened = resolved(checked(config))
    config = resolved(config)
    with session(
        config.run_id, config.model_dump(), opened.resources, config.sandbox, FLOW
    ) as caller:
        done = Evaluation(config, caller, opened).run()
        report = caller.call(results_call(config, done), 1, "report")
        page = caller.publish(report)
        made = caller.store.path(report)
        for file in sorted(made.iterdir()):
            if file.suffix in (".jsonl", ".parquet") or file.name == EvaluationResults.FILE:
                (caller.journal.folder / file.name).write_bytes(file.read_bytes())
        results = EvaluationResults.read(made)
        caller.end(page, "accuracy in %, with intervals:", results_text(results))
    results_file = caller.journal.folder / EvaluationResults.FILE
    return {"run": config.run_id, "report": str(page), "results": str(results_file)}


def resolved(config: EvaluateConfig) -> EvaluateConfig:
    """The configuration with its policies' names spelled out, so that its id stays true."""
    names: dict[str, object] = {
        field: spelled_out(getattr(config, field), field) for field in ("model", "against")
    }
    if (judge := config.judge).is_model:
        named = spelled_judge(judge.model, JUDGE)
        names["judge"] = judge.model_copy(update={"model": named})
    return config.model_copy(update=names)
