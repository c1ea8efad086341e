"""The simulation of a run: nothing is lost, nothing appears, and small cases come out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.estimates.simulate import simulated_times
from bench.gpus._cluster import TASKS, changed, cluster, completions, published
from bench.gpus._planning import Schedule, planned, simulated, stages
from bench.gpus.simulation.batching import active_rows, shard_seconds, steady_seconds
from bench.gpus.simulation.costs import EngineParts, ScoreParts, SimulatedParts, TrainParts
from bench.gpus.simulation.jobs import (
    SimulatedJob,
    SimulatedShard,
    SimulatedStage,
    SimulatedTraining,
    Worker,
    jobs_of,
    packed,
    train_seconds,
)
from bench.gpus.simulation.simulate import Servers, simulate
from flows.config.rest_em import RestEmConfig
from flows.estimate.costs import Costs, SamplingCosts, TrainingCosts
from flows.estimate.estimate import stage_seconds
from flows.estimate.fit import LinearCost
from flows.estimate.stages import PlannedShard, PlannedStage
from tasks.errors import UserError
from tasks.settings import DataSettings, FinetuneSettings

ENGINE = EngineParts(slots=4, load=5.0, prompt=0.5, step=1.0, row=0.25)
PARTS = SimulatedParts(
    engine=ENGINE,
    score=ScoreParts(start=2.0, sample=0.1, shard=1.0),
    train=TrainParts(10.0, 0.0, 0.5, 1.0, 0.0, 10.0),
    lengths=(3,),
    greedy_lengths=(2,),
    overhead=0.0,
    once={"select": 4.0},
)
HOW = SimulatedTraining(epochs=1.0, batch_size=4, max_length=100, packing=False, checks=0)
TWO = [
    SimulatedStage(
        0,
        "draw",
        (SimulatedShard(2, 2), SimulatedShard(2, 2)),
        (SimulatedShard(2, 2), SimulatedShard(2, 2)),
    ),
    SimulatedStage(1, "select", single="select"),
    SimulatedStage(1, "finetune", single="finetune", rows=8),
]
LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=60)


def _jobs(overlap: bool, parts: SimulatedParts = PARTS) -> list[SimulatedJob]:
    return jobs_of(TWO, parts, HOW, scorers=1, overlap=overlap)


@given(LENGTHS, st.integers(1, 20))
def test_every_token_is_decoded_once_and_no_slot_twice(lengths: list[int], slots: int) -> None:
    rows = active_rows(lengths, slots)
    assert rows.sum() == sum(lengths)
    assert rows.max() <= slots and rows.min() >= 1
    assert max(lengths) <= len(rows) <= sum(lengths)


@given(LENGTHS, st.integers(1, 20))
def test_a_shard_alone_is_never_faster_than_in_a_stream(lengths: list[int], slots: int) -> None:
    engine = replace(ENGINE, slots=slots, row=0.0)
    assert shard_seconds(engine, 1, lengths) >= steady_seconds(engine, 1, lengths) - 1e-9


def test_a_shard_by_hand() -> None:
    # Slots 2; lengths 3, 1, 1: rows 2, 2, 1, so three steps of 1 + row * rows; two prompts.
    engine = EngineParts(slots=2, load=0.0, prompt=0.5, step=1.0, row=0.25, shard=7.0)
    assert active_rows([3, 1, 1], 2).tolist() == [2, 2, 1]
    assert shard_seconds(engine, 2, [3, 1, 1]) == pytest.approx(7.0 + 1.0 + 3.0 + 0.25 * 5)


def test_one_engine_without_overlap_takes_the_sum() -> None:
    jobs = _jobs(overlap=False)
    result = simulate(jobs, Servers(load=5.0))
    # Shards: two prompts, three steps of four rows each; scoring 1 + 4 * 0.1; select 4; fine-tune
    # 10 + 8 sequences.
    shard, score, rest = 1.0 + 3 * 2.0, 1.4, 4.0 + 14.0
    assert result.seconds == pytest.approx(5.0 + 2 * shard + 2.0 + 2 * score + rest)
    assert result.seconds == pytest.approx(sum(job.work for job in jobs) + 5.0)
    assert sum(result.stages) == pytest.approx(result.seconds)
    assert result.loads == 1 and result.repeats == 0 and result.lost == 0.0


def test_overlap_hides_the_scoring_of_all_but_the_last_shard() -> None:
    result = simulate(_jobs(overlap=True), Servers(load=5.0))
    # The first score (3.4 with the start of the checkers) lies under the second shard (7).
    assert result.seconds == pytest.approx(5.0 + 14.0 + 1.4 + 18.0)


def test_lanes_on_the_same_processors_gain_nothing() -> None:
    apart = simulate(_jobs(overlap=False), Servers(load=5.0))
    shared = simulate(_jobs(overlap=True), Servers(load=5.0, contention=2.0))
    assert shared.seconds == pytest.approx(apart.seconds)


def test_two_engines_take_half_of_the_sampling() -> None:
    result = simulate(_jobs(overlap=False), Servers(engines=2, load=5.0))
    assert result.seconds == pytest.approx(5.0 + 7.0 + 2.0 + 2.8 + 18.0)
    assert result.loads == 2


WORK = st.lists(st.floats(0.1, 50.0), min_size=1, max_size=40)


@given(WORK, st.integers(1, 8), st.floats(0.0, 10.0))
def test_all_work_is_done_and_more_engines_are_never_slower(
    work: list[float], engines: int, load: float
) -> None:
    jobs = [SimulatedJob(Worker.ENGINE, seconds, 0, "generate", policy=0) for seconds in work]
    fewer = simulate(jobs, Servers(engines=engines, load=load))
    more = simulate(jobs, Servers(engines=engines + 1, load=load))
    assert more.seconds <= fewer.seconds + 1e-6
    done = fewer.busy[Worker.ENGINE] - fewer.loads * load
    assert done == pytest.approx(sum(work))
    assert fewer.loads == min(engines, len(work))
    assert fewer.seconds >= max(max(work) + load, sum(work) / engines) - 1e-6


@settings(max_examples=30)
@given(WORK, st.integers(1, 4), st.integers(0, 5), st.floats(5.0, 500.0))
def test_failures_lose_time_and_no_job(
    work: list[float], engines: int, seed: int, mtbf: float
) -> None:
    jobs = [
        SimulatedJob(Worker.ENGINE, min(seconds, mtbf), 0, "generate", policy=0) for seconds in work
    ]
    calm = simulate(jobs, Servers(engines=engines, load=0.5), seed)
    torn = simulate(jobs, Servers(engines=engines, load=0.5, mtbf=mtbf, restart=3.0), seed)
    assert calm.repeats == 0 and calm.lost == 0.0
    assert all(end > 0.0 for end in torn.ends)
    assert (torn.lost > 0.0) == (torn.repeats > 0)
    worked = torn.busy[Worker.ENGINE] - torn.lost
    # What is not lost is the jobs and the loads before jobs that came to their end.
    assert sum(job.work for job in jobs) <= worked + 1e-6
    assert worked <= sum(job.work for job in jobs) + 0.5 * torn.loads + 1e-6


def test_the_same_seed_gives_the_same_run() -> None:
    servers = Servers(engines=2, load=5.0, mtbf=8.0, restart=1.0, spread=0.2)
    first, again = (simulate(_jobs(True), servers, 3) for _ in range(2))
    assert (first.seconds, first.ends, first.repeats) == (again.seconds, again.ends, again.repeats)
    assert any(simulate(_jobs(True), servers, seed).seconds != first.seconds for seed in range(5))


def test_a_failed_fine_tune_goes_on_from_its_checkpoint() -> None:
    jobs = [SimulatedJob(Worker.TRAINER, 100.0, 0, "finetune")]
    servers = Servers(trainer_mtbf=40.0, restart=0.0, checkpoint=1.0)
    result = simulate(jobs, servers, seed=1)
    assert result.repeats > 0
    assert result.lost <= result.repeats * 1.0
    assert result.seconds == pytest.approx(100.0 + result.lost)


def test_a_cycle_free_order_is_kept() -> None:
    jobs = jobs_of(stages(TASKS["apps"], 1024), PARTS, HOW, scorers=1, overlap=True)
    result = simulate(jobs, Servers(engines=8, scorers=1, load=1.0))
    for number, job in enumerate(jobs):
        assert all(result.ends[need] <= result.begins[number] + 1e-9 for need in job.needs)


def test_the_papers_volumes() -> None:
    for name, volume, rows in (("math", 240_000, 75_000), ("apps", 149_888, 23_420)):
        made = stages(TASKS[name], 2048)
        drawn = [stage for stage in made if stage.name == "draw"]
        assert len(drawn) == TASKS[name].iterations
        assert {sum(shard.rows for shard in stage.generate) for stage in drawn} == {volume}
        assert {stage.rows for stage in made if stage.single == "finetune"} == {rows}
        assert all(stage.generate == stage.score for stage in made)


def test_training_by_hand() -> None:
    how = SimulatedTraining(epochs=2.0, batch_size=4, max_length=100, packing=True, checks=3)
    parts = replace(PARTS, train=TrainParts(10.0, 0.25, 0.5, 2.0, 1.0, 10.0))
    # 97 rows of 10 tokens fill ten sequences to 97 in 100: three steps an epoch, six in all.
    assert packed(97, 10.0, how) == 10
    assert train_seconds(parts, how, 97) == pytest.approx(10 + 97 * 0.25 + 24 * 0.5 + 3 * 3.0)
    assert packed(7, 60.0, how) == 7


@pytest.mark.parametrize("model", ["7b", "70b", "540b"])
@pytest.mark.parametrize("gpu", ["h100", "a100"])
def test_an_engine_at_full_batch_has_the_published_rate(model: str, gpu: str) -> None:
    decoding = published()["models"][model]["engines"][gpu]
    made = cluster(model, gpu, 512, TASKS["math"])
    engine = made.parts.engine
    assert engine.slots / engine.step_seconds(engine.slots) == pytest.approx(decoding["decode"])
    assert engine.step > 0.0 and engine.row >= 0.0
    assert made.engines == 512 // decoding["gpus"]
    for facts in (decoding, published()["models"][model]["training"][gpu]):
        assert facts["source"] and facts["kind"] in ("published", "derived")


def test_what_does_not_fit_is_said() -> None:
    task = TASKS["math"]
    assert cluster("540b", "h100", 8, task).engines == 0
    assert cluster("70b", "h100", 8, task).method == "lora"
    assert cluster("70b", "h100", 16, task).method == "full"
    assert cluster("540b", "h100", 128, task).method == "full"
    row = planned("540b", cluster("540b", "h100", 8, task), task, 3.0, Schedule())
    assert row.hours == 0.0 and not row.bottleneck


def test_completions_have_the_mean_that_was_asked_for() -> None:
    lengths = completions(TASKS["math"])
    assert sum(lengths) / len(lengths) == pytest.approx(TASKS["math"].mean, rel=0.03)
    assert max(lengths) <= TASKS["math"].longest


@pytest.mark.slow
def test_more_gpus_take_less_time_and_not_fewer_gpu_hours() -> None:
    task = replace(TASKS["apps"], problems=300, test=100)
    calm = Schedule(failures=False)
    rows = [planned("7b", cluster("7b", "h100", n, task), task, 3.0, calm) for n in (8, 64, 512)]
    hours = [row.hours for row in rows]
    assert hours == sorted(hours, reverse=True)
    assert [row.gpu_hours for row in rows] == sorted(row.gpu_hours for row in rows)
    assert rows[0].cost == pytest.approx(3.0 * rows[0].gpu_hours)
    for row in rows:
        assert row.sampling + row.scoring + row.training <= 1.0 + 1e-9


def test_a_set_scored_at_the_end_is_not_faster() -> None:
    task = replace(TASKS["apps"], problems=300, test=100)
    made = cluster("7b", "h100", 8, task)
    calm = Schedule(failures=False)
    together = simulated(made, task, 1024, calm)
    apart = simulated(made, task, 1024, replace(calm, overlap=False))
    assert together.seconds <= apart.seconds


@pytest.mark.parametrize("change", ["samples=x", "nothing=3", "samples", "samples=0", "mean=-1"])
def test_a_change_that_is_none(change: str) -> None:
    with pytest.raises(UserError, match="expected"):
        changed(TASKS["math"], [change])
    assert changed(TASKS["math"], ["samples=64"]).samples == 64
    assert math.isinf(Servers().mtbf)


def test_on_one_machine_the_simulation_says_what_an_estimate_says() -> None:
    costs = Costs(
        sampling=SamplingCosts(5.0, 1.0, 0.1, 0.25, 2.0, 10.0, 20.0),
        scoring=LinearCost(0.5, 0.05),
        training=TrainingCosts(start=10.0, row=0.5, check=LinearCost(1.0, 0.1), tokens=30.0),
        single={"select": LinearCost(1.0, 0.01), "measure": LinearCost(3.0)},
        keep=[0.5],
    )
    config = RestEmConfig(
        data=DataSettings(validation=10), finetune=FinetuneSettings(epochs=2.0, checks=3)
    )

    def drawn(number: int, name: str, *sizes: int, greedy: bool = False) -> PlannedStage:
        shards = [PlannedShard(size, generate=True, score=True) for size in sizes]
        return PlannedStage(number, name, shards, greedy)

    planned = [
        drawn(0, "test", 50, 50, greedy=True),
        drawn(0, "pass@k", 80),
        PlannedStage(0, "measure", before=180),
        drawn(0, "draw", 100, 100, 100),
        PlannedStage(1, "select", before=300),
        PlannedStage(1, "finetune", before=300),
        drawn(1, "test", 50, 50, greedy=True),
    ]
    seconds = stage_seconds(planned, costs, config, rows=20, validation=10)
    lines = [
        {
            "iteration": stage.iteration,
            "step": stage.name,
            "shards": len(stage.shards),
            "samples": stage.samples,
            "rows": 20 if stage.name == "finetune" else 0,
        }
        for stage in planned
    ]
    result = simulated_times(lines, costs, config)
    assert list(result.stages.values()) == pytest.approx(seconds)
    assert result.seconds == pytest.approx(sum(seconds))
