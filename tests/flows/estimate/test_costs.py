"""From a journal to costs and from costs to seconds: small cases come out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config.rest_em import RestEmConfig, load_config
from flows.estimate.costs import Costs, SamplingCosts, TrainingCosts
from flows.estimate.estimate import stage_seconds
from flows.estimate.fit import LinearCost, least_squares
from flows.estimate.measure import stages_of_journal
from flows.estimate.plan import PlannedCall
from flows.estimate.rows import expected_rows, training_rows
from flows.estimate.stages import PlannedShard, PlannedStage, stages_of_plan, work_before
from flows.runs.journal_forms import StepLine
from tasks.dag.step import Call, Step
from tasks.facts import WrongFacts
from tasks.settings import FilterSettings, FinetuneSettings, Resources

COSTS = Costs(
    sampling=SamplingCosts(5.0, 1.0, 0.1, 0.25, 2.0, 10.0, 20.0),
    scoring=LinearCost(0.5, 0.01),
    training=TrainingCosts(start=10.0, row=0.5, check=LinearCost(1.0, 0.1), tokens=30.0),
    single={"select": LinearCost(1.0, 0.01), "report": LinearCost(3.0)},
    keep=[0.5],
)
CONFIG = RestEmConfig(finetune=FinetuneSettings(epochs=2.0, checks=3))


def _set(number: int, name: str, *sizes: int, greedy: bool = False) -> PlannedStage:
    shards = [PlannedShard(size, generate=True, score=True) for size in sizes]
    return PlannedStage(number, name, shards, greedy)


def _seconds(*stages: PlannedStage, costs: Costs = COSTS) -> list[float]:
    return stage_seconds(stages, costs, CONFIG, rows=20, validation=10)


def test_only_the_last_shard_is_scored_after_sampling() -> None:
    # The load and what is there once; two shards of 1 + 100 * 0.25; then one of them is scored.
    assert _seconds(_set(0, "draw", 100, 100)) == pytest.approx([5 + 2 + 2 * 26 + 0.5 + 1.0])


def test_sampling_hides_behind_slow_scoring() -> None:
    slow = replace(COSTS, scoring=LinearCost(100.0))
    assert _seconds(_set(0, "draw", 100, 100), costs=slow) == pytest.approx([7 + 26 + 200])


def test_sets_follow_each_other_without_a_barrier_and_a_policy_is_loaded_once() -> None:
    greedy, sampled, later = (
        _set(0, "test", 100, greedy=True),
        _set(0, "pass@k", 100),
        _set(1, "test", 100, greedy=True),
    )
    first, second, third = _seconds(greedy, sampled, later)
    assert first == pytest.approx(7 + 11 + 1.5)
    assert second == pytest.approx(26)  # the first set was scored meanwhile
    assert third == pytest.approx(5 + 11)


def test_a_step_without_shards_waits_for_all_and_grows_with_the_samples() -> None:
    drawn, select = _set(0, "draw", 100), PlannedStage(1, "select, step 2", before=300)
    train, test = PlannedStage(1, "finetune"), _set(1, "test", 100, greedy=True)
    seconds = _seconds(drawn, select, train, test)
    assert seconds[1] == pytest.approx(1 + 3)
    # Twenty rows in two epochs, three checks of a checkpoint and ten problems.
    assert seconds[2] == pytest.approx(10 + 40 * 0.5 + 3 * (1 + 10 * 0.1))
    assert seconds[3] == pytest.approx(5 + 11 + 1.5)


def test_verdicts_alone_need_no_engine() -> None:
    scored = PlannedStage(0, "draw", [PlannedShard(100, score=True)] * 3)
    assert _seconds(scored) == pytest.approx([3 * 1.5])


def test_engines_of_a_cluster_score_side_by_side() -> None:
    ray = CONFIG.model_copy(update={"resources": Resources(ray_address="local", engines=3)})
    scored = PlannedStage(0, "draw", [PlannedShard(100, score=True)] * 3)
    assert stage_seconds([scored], COSTS, ray, 0, 0) == pytest.approx([1.5])


def _call(number: int, group: str, place: str = "", temperature: float = 1.0) -> PlannedCall:
    step = Step(group, "any", 1, lambda *_: None)
    label = f"{group} p{number} {place}".rstrip()
    return PlannedCall(number, group, Call(step, label, {"sampling": {"temperature": temperature}}))


def test_a_plan_becomes_stages() -> None:
    planned = [
        _call(0, "generate test", "[0:64]x[0:1]", 0.0),
        _call(0, "score test", "[0:64]x[0:1]"),
        _call(0, "score pass@k", "[0:10]x[4:8]"),  # its samples are cached
        _call(0, "measure"),
        _call(0, "generate draw", "[0:3]x[0:4]"),
        _call(0, "score draw", "[0:3]x[0:4]"),
        _call(0, "generate draw", "[3:6]x[0:4]"),
        _call(0, "score draw", "[3:6]x[0:4]"),
        _call(1, "select"),
        _call(1, "finetune"),
    ]
    stages = stages_of_plan(planned, 1)
    assert [(s.iteration, s.name, len(s.shards), s.samples, s.before) for s in stages] == [
        (0, "test", 1, 64, 0),
        (0, "pass@k", 1, 0, 0),
        (0, "measure", 0, 0, 104),
        (0, "draw", 2, 24, 0),
        (1, "select", 0, 0, 24),
        (1, "finetune", 0, 0, 24),
        (1, "report", 0, 0, 24),
    ]
    assert [s.greedy for s in stages[:4]] == [True, True, False, False]
    assert stages_of_plan([], 1) == []


def _line(number: int, step: str, took: float, ended: float, cached: bool = False) -> StepLine:
    return StepLine(
        iteration=number,
        step=step,
        label=step,
        state="Cached" if cached else "Completed",
        took=took,
        ended=ended,
        seconds=took,
        tokens=0,
        rows=10,
        artifact="any/key",
        digest="",
    )


def test_stages_of_a_journal_last_from_end_to_end() -> None:
    lines = [
        _line(0, "problems", 1.0, 101.0),
        _line(0, "generate test", 4.0, 105.0),
        _line(0, "generate train", 6.0, 107.0),
        _line(0, "score test", 3.0, 108.0),  # beside the sampling of the next set
        _line(0, "score train", 2.0, 110.0),
        _line(0, "measure", 1.0, 111.5),
        _line(0, "generate draw", 2.0, 114.0),
        _line(0, "score draw", 1.0, 115.0, cached=True),
        _line(1, "finetune", 4.0, 120.0),
        _line(1, "generate test", 4.0, 124.0),
    ]
    stages = stages_of_journal(lines)
    assert [(s.name, s.seconds, s.loads, s.before, s.fresh) for s in stages] == [
        ("problems", 1.0, False, 0, True),
        ("test", 4.0, True, 0, True),
        ("train", 2.0, False, 0, True),
        ("measure", 1.5, False, 20, True),
        ("draw", 2.5, False, 0, False),
        ("finetune", 5.0, False, 10, True),
        ("test", 4.0, True, 0, True),
    ]


def test_training_rows_expected() -> None:
    rules = FilterSettings(cap=10)
    assert expected_rows([1.0], 100, 32, rules) == 1000
    assert expected_rows([0.0, 1.0], 100, 8, rules) == 400
    assert expected_rows([0.5], 100, 8, FilterSettings(cap=0)) == 400
    assert expected_rows([0.3, 0.5], 1000, 32, rules) == 500 * 9.6 + 500 * 10


@pytest.mark.parametrize(
    ("name", "changes", "rows"),
    [
        ("rlaif", [], 100),  # problems: rl draws samples of its own
        ("self-rewarding", ["sampling.samples=8", "filter.cap=1"], 100),
        ("self-rewarding", ["sampling.samples=8", "filter.cap=0"], 400),
        ("rlhf", ["finetune.improve=dpo", "finetune.pairs=preferences", "judge.pairs=4"], 400),
        ("rlhf", ["finetune.improve=dpo", "finetune.pairs=preferences", "judge.pairs=0"], 2800),
        ("math-demo", ["sampling.samples=8"], 400),
    ],
)
def test_what_an_iteration_by_preferences_trains_on(
    name: str, changes: list[str], rows: int
) -> None:
    assert training_rows([0.5], 100, load_config(name, changes)) == rows


def test_a_call_of_a_block_costs_by_its_problems() -> None:
    assert work_before("compare draw", "compare draw p0 [500:800]", 9000) == 300
    assert work_before("rate draw", "rate draw p0 [0:500]", 9000) == 500
    assert work_before("fit", "fit p0", 9000) == 9000
    assert work_before("measure", "measure p0", 400) == 400


@given(
    st.lists(st.floats(0.001, 5.0), min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 99)), min_size=5, max_size=8, unique=True),
)
def test_costs_are_found_again(costs: list[float], sizes: list[tuple[int, int]]) -> None:
    features = [[1.0, a, b] for a, b in sizes]
    seconds = [sum(c * f for c, f in zip(costs, row, strict=True)) for row in features]
    found = least_squares(features, seconds)
    assert min(found) >= 0.0
    again = [sum(c * f for c, f in zip(found, row, strict=True)) for row in features]
    assert again == pytest.approx(seconds, rel=1e-3)


def test_costs_survive_json_and_nothing_else_passes() -> None:
    raw = json.loads(json.dumps(COSTS.to_json()))
    assert Costs.from_json(raw) == COSTS
    with pytest.raises(WrongFacts, match="keep is missing"):
        Costs.from_json({name: value for name, value in raw.items() if name != "keep"})
    with pytest.raises(WrongFacts, match="pace"):
        Costs.from_json({**raw, "pace": 1.0})
