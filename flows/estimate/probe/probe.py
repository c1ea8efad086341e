"""A short probe of a run: its own steps on a few of its problems, to see what they cost.

It goes through the same flow machinery as the run (Prefect's tasks, the store, child processes),
samples real prompts with the real engine, checks the samples, trains a few steps, and loads the
policy that came of it. What it makes is removed again, but for the problems and the base model,
which the run then finds. It looks for sizes near the run's own, as far as its budget of about a
minute allows; on a slow engine one request may take longer than that.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

from prefect import flow

from flows.config.rest_em import RestEmConfig
from flows.estimate.estimate import servers_of
from flows.estimate.probe.recorder import WARM_PROMPTS, Recorder
from flows.estimate.probe.steps import (
    Together,
    draw_shards,
    kept_shares,
    other_steps,
    short_finetune,
)
from flows.estimate.simulation.batching import shard_seconds
from flows.estimate.simulation.costs import EngineParts, Parts
from flows.estimate.simulation.fit import Measured, fit_engine, fit_score
from flows.estimate.simulation.jobs import Shard, Stage, Training, jobs_of
from flows.estimate.simulation.simulate import Servers, simulate
from flows.orchestrator.session import session
from tasks.dag.step_names import BASE_MODEL, GENERATE, SCORE, line_name
from tasks.policy.step import base_call
from tasks.problems.step import problems_call
from tasks.rows import Json

FLOW = "probe"


@flow(name=FLOW, flow_run_name="{config.name}", validate_parameters=True)
def probe(config: RestEmConfig, greedy: tuple[int, int], sampled: tuple[int, int]) -> Json:
    """Measure what the steps of a run cost; returns `Parts` as plain data.

    Its `start` is the time (of perf_counter) at which the flow began.

    Args:
        config: Of the run.
        greedy: Problems and samples of its largest greedy shard.
        sampled: The same of its largest sampled one.
    """
    began = time.perf_counter()
    run_id = f"{config.run_id}-probe"
    with session(run_id, config.model_dump(), config.resources, config.sandbox, FLOW) as caller:
        work = Recorder(config, caller)
        try:
            parts = _measure(work, Shard(*greedy), Shard(*sampled))
        finally:
            work.clean()
    shutil.rmtree(caller.journal.folder, ignore_errors=True)
    return {**parts.to_json(), "start": began}


def _measure(work: Recorder, greedy: Shard, sampled: Shard) -> Parts:
    """Measure everything once."""
    config = work.config
    work.use(work.call(problems_call(config.data), 0, "problems"))
    base = work.call(base_call(config.model), 0, BASE_MODEL)
    work.warm(base)
    warm = work.last(GENERATE)
    work.warm(base)
    prompt = work.last(GENERATE).seconds / WARM_PROMPTS
    plain, whole, together = draw_shards(work, base, greedy, sampled, prompt)
    loaded = [line for line in work.all(GENERATE)[1:] if line.group != line_name(GENERATE, "start")]
    engine = fit_engine(loaded, config.resources.batch_size)
    started = [line for line in work.all(GENERATE) if line.group == line_name(GENERATE, "start")]
    more = sum(line.seconds - _predicted(engine, line) for line in started)
    scored = [line for line in work.all(SCORE) if "whole" in line.group]
    score = fit_score(scored, work.all(SCORE)[0])
    once = other_steps(work, base, plain, whole)
    work.end_stage()
    train, policy = short_finetune(work, base, whole, engine)
    work.warm(policy)
    again = work.last(GENERATE)
    load = max(0.0, again.seconds - _predicted(engine, again))
    first = max(0.0, warm.seconds - _predicted(engine, warm) - load)
    whole_lines = [line for line in work.all(GENERATE) if "whole" in line.group]
    greedy_lengths = _flat([n.lengths for n in whole_lines if "greedy" in n.group])
    lengths = _flat([n.lengths for n in whole_lines if "greedy" not in n.group])
    lines = work.lines[2:]
    parts = Parts(
        engine=replace(engine, load=load + max(0.0, more)),
        score=score,
        train=train,
        lengths=lengths,
        greedy_lengths=greedy_lengths,
        overhead=sum(line.took - line.seconds for line in lines) / len(lines),
        once=once,
        first=first,
        keep=kept_shares(work, whole),
        source="probe",
    )
    return replace(parts, pace=_pace(parts, together, servers_of(config, 0.0)))


def _pace(parts: Parts, together: Together, servers: Servers) -> float:
    """What shards in flight together take, over what they would take by their parts."""
    shards = (together.shard,) * together.count
    still = replace(parts, first=0.0, score=replace(parts.score, start=0.0))
    how = Training(1.0, 1, 1, True, 0)
    jobs = jobs_of([Stage(0, "set", shards, shards)], still, how, scorers=1, overlap=True)
    return together.seconds / simulate(jobs, servers).seconds


def _predicted(engine: EngineParts, line: Measured) -> float:
    return shard_seconds(engine, line.problems, line.lengths)


def _flat(lists: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(value for one in lists for value in one)
