"""A short probe of a run: the run itself on a few of its problems, to see what its steps cost.

It is the same loop through the same caller (Prefect's tasks, the store, child processes) with one
iteration, so it loads, samples, scores, trains and measures as the run will; once with a handful of
problems, then with as many as its budget of about a minute allows. On a slow engine the handful
alone may take longer than that. What it makes is removed again, but for the base model, which the
run then finds.
"""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path

from prefect import flow

from flows.config.rest_em import RestEmConfig
from flows.estimate.measure import costs_of_journal, stages_of_journal
from flows.machines.local import IN_FLIGHT
from flows.orchestrator.pipeline import engines_at_once
from flows.orchestrator.prefect_caller import PrefectCaller
from flows.orchestrator.session import session
from flows.rest_em.iterations import LoopResult
from flows.rest_em.loop import Loop
from flows.rest_em.summary import report_call
from flows.runs.journal import STEPS, read_steps
from flows.runs.journal_forms import StepLine
from flows.runs.store_use import forget_run
from tasks.dag.runtime import home, open_store
from tasks.dag.step_names import BASE_MODEL, DRAW, REPORT
from tasks.errors import UserError
from tasks.finetune.objectives import OBJECTIVES
from tasks.store.store import Store

FLOW = "probe"
# Beyond what a configuration may ask for, so that no run finds a probe's samples.
SEED = 2**31
# Problems of the first round; how many times as many the second has, if it then takes no longer
# than this where each problem takes as long as in the first. Most take far less, side by side.
FEW, MORE, WORK_SECONDS = 8, 8, 40.0
# The settings want more than 0; a reward is a float32, where this is 0.
ANY_REWARD = 1e-46
# What the run takes over.
KEPT = (BASE_MODEL, "teacher")


class ProbeLoop(Loop):
    """A loop that draws no conclusions from the metrics of a few problems."""

    def _warn_of_overfitting(self, outcome: LoopResult) -> None:
        pass


@flow(name=FLOW, flow_run_name="{config.name}", validate_parameters=True)
def probe(config: RestEmConfig, splits: dict[str, int]) -> dict[str, object]:
    """Measure what the steps of a run cost; returns `Costs` as plain data.

    Its `start` is the time (of perf_counter) at which the flow began.
    """
    began = time.perf_counter()
    run_id = f"{config.run_id}-probe"
    folder, store = home() / "runs" / run_id, open_store(config.resources)
    _clean(folder, store)  # of a probe that was killed
    try:
        with session(
            run_id,
            config.model_dump(),
            config.resources,
            config.sandbox,
            FLOW,
            functions=config.find_functions(),
        ) as caller:
            most = max(splits.values())
            few = min(FEW, most)
            _round(config, few, caller)
            each = _seconds_a_problem(read_steps(folder), few, store)
            wanted = min(most, MORE * few, int(WORK_SECONDS / each))
            if wanted > few:
                _round(config, wanted, caller)
            costs = costs_of_journal(read_steps(folder), store, config.filter)
    finally:
        _clean(folder, store)
    if costs is None:
        raise UserError(
            f"--probe: none of the samples of {few} problems can be trained on; expected the base "
            "policy to solve some of them"
        )
    return {**costs.to_json(), "start": began, "source": FLOW}


def _round(config: RestEmConfig, problems: int, caller: PrefectCaller) -> None:
    small = smaller(config, problems)
    result = ProbeLoop(small, caller).run()
    caller.call(report_call(small, result), small.iterations, REPORT)


def smaller(config: RestEmConfig, problems: int) -> RestEmConfig:
    """The run with one iteration and so many problems of each kind; samples of each stay.

    Where that is possible wrong samples are trained on too, for what matters is how long that
    takes.
    """

    def least(limit: int) -> int:
        return min(limit or problems, problems)

    data, evaluation, resources = config.data, config.evaluation, config.resources
    rules = config.filter
    if not OBJECTIVES[config.finetune.improve].pairs:
        rules = rules.model_copy(
            update={"min_reward": ANY_REWARD, "thresholds": [], "finished_only": False}
        )
    # As many shards of the samples as are in flight together.
    engines = engines_at_once(resources)
    ranges = math.ceil(config.sampling.samples / resources.shard_samples)
    block = math.ceil(problems * ranges / (IN_FLIGHT * engines))
    changes: dict[str, object] = {
        "seed": SEED,
        "iterations": 1,
        "review": False,
        "stop_on_validation": False,
        "data": data.model_copy(
            update={
                "train_limit": least(data.train_limit),
                "test_limit": least(data.test_limit),
                "validation": min(data.validation, problems),
            }
        ),
        # Greedy samples have no seed; one token more gives them another key.
        "sampling": config.sampling.model_copy(
            update={"max_tokens": config.sampling.max_tokens + 1}
        ),
        "filter": rules,
        "finetune": config.finetune.model_copy(
            update={"epochs": 1.0, "checks": min(1, config.finetune.checks)}
        ),
        "evaluation": evaluation.model_copy(
            update={
                "sampled_problems": least(evaluation.sampled_problems),
                "train_problems": min(evaluation.train_problems, problems),
                "transfer": [],
            }
        ),
        "resources": resources.model_copy(
            update={"shard_problems": min(resources.shard_problems, max(1, block))}
        ),
    }
    return config.model_copy(update=changes)


def _seconds_a_problem(lines: list[StepLine], problems: int, store: Store) -> float:
    """What a round takes for each problem, at most: few samples at once are slow ones."""
    stages = stages_of_journal(lines)
    drawn = [stage for stage in stages if stage.name == DRAW]
    each = sum(stage.seconds for stage in drawn) / sum(stage.samples for stage in drawn)
    scored = [line for stage in stages for line in stage.score]
    manifests = [store.read_manifest(*line.artifact.split("/")) for line in lines]
    trained = sum((one.stats.parts or {}).get("training", 0.0) for one in manifests)
    work = each * sum(stage.samples for stage in stages)
    return (max(work, sum(line.seconds for line in scored)) + trained) / problems


def _clean(folder: Path, store: Store) -> None:
    """Remove what a probe made, but for the base model."""
    for line in read_steps(folder) if (folder / STEPS).exists() else ():
        if not line.cached and line.step not in KEPT:
            store.discard(*line.artifact.split("/"))
    forget_run(store, folder.name)
    shutil.rmtree(folder, ignore_errors=True)
