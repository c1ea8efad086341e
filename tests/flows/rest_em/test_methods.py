"""The methods beside ReST^EM are fields of the configuration: the loop does what they say."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from flows.config.read import parse
from flows.config.rest_em import RestEmConfig, load_config
from flows.rest_em.page.page import render
from flows.rest_em.summary import report_call, summarise
from tasks.errors import UserError
from tasks.paths import CONFIGS
from tasks.problems.synthetic_code import load_split
from tasks.settings import MoreData, Section
from tasks.settings.filter import WeightedReward
from tests.flows.rest_em.direct_run import QUIET, Ran
from tests.small import SMALL, SMALLEST

ROOT = CONFIGS.parent

# ---- thresholds ----
STEPS = (0.25, 0.8, 1.0)


@pytest.fixture(scope="module")
def tasks_with_an_unreachable_test(image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded tasks in the form of APPS, each with one test more that nothing passes."""
    path = tmp_path_factory.mktemp("apps") / "apps.jsonl"
    with path.open("w") as file:
        for split, step in (("train", 80), ("test", 120)):
            for row in itertools.islice(load_split(split), 0, None, step):
                tests = json.loads(row["reference"])["tests"]
                asked = {
                    "id": row["id"].rsplit("/", 1)[-1],
                    "split": split,
                    "question": row["question"],
                    "difficulty": "introductory",
                    "inputs": [test["input"] for test in tests] + [tests[0]["input"]],
                    "outputs": [test["output"] for test in tests] + ["unreachable"],
                }
                file.write(json.dumps(asked) + "\n")
    return path


@pytest.fixture(scope="module")
def rest_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rest")


@pytest.fixture(params=["last", "base"])
def rest(
    request: pytest.FixtureRequest,
    rest_home: Path,
    tasks_with_an_unreachable_test: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Ran:
    """Two Grow steps of ReST, of which both runs share the first."""
    monkeypatch.setenv("RESTEM_HOME", str(rest_home))
    changes = (
        "data.train=apps",
        f"data.source={tasks_with_an_unreachable_test}",
        "data.validation=4",
        "data.train_limit=0",
        "sampling.samples=4",
        f"filter.thresholds={list(STEPS)}",
        f"finetune.start_from={request.param}",
        "finetune.checks=1",
        "finetune.batch_size=2",  # several steps
        "evaluation.samples=1",
        "evaluation.pass_k=[1]",
        "evaluation.sampled_problems=2",
    )
    return Ran(load_config("rest", [*changes, *QUIET]))


def test_each_improve_step_goes_on_from_the_one_before(rest: Ran) -> None:
    policies = rest.policies()
    # Nothing reaches 1.0, so there is no third step.
    assert list(policies) == [f"finetune {n} step {step}" for n in (1, 2) for step in (1, 2)]
    base, first, second = (now.policy for now in rest.outcome.iterations)
    ones = [policies["finetune 1 step 1"], policies["finetune 2 step 1"]]
    twos = [policies["finetune 1 step 2"], policies["finetune 2 step 2"]]
    assert [rest.start(policy) for policy in twos] == [policy.key for policy in ones]
    last = rest.config.finetune.start_from == "last"
    assert [rest.start(policy) for policy in ones] == [base.key, first.key if last else base.key]
    # What is measured and sampled next is the policy of the last step.
    assert [first, second] == twos


def test_an_improve_step_trains_on_the_samples_that_reach_its_threshold(rest: Ran) -> None:
    drawn = rest.outcome.iterations[0].drawn
    verdicts = rest.rows(drawn.verdicts, "verdicts.parquet")
    rewards = {(row["problem_id"], row["index"]): row["reward"] for row in verdicts}
    assert {round(9 * reward, 4) for reward in rewards.values()} <= set(range(9))
    assert len(set(rewards.values())) > 2
    assert not any(row["status"] == "correct" for row in verdicts)
    groups = ["select", "select, step 2", "select, step 3"]
    selected = {g: next(ref for group, ref in rest.done if group == g) for g in groups}
    for threshold, (group, ref) in zip(STEPS, selected.items(), strict=True):
        kept = rest.rows([ref], "rows.parquet")
        assert all(rewards[row["problem_id"], row["index"]] >= threshold - 1e-6 for row in kept)
        counts = json.loads((rest.store.path(ref) / "counts.json").read_text())
        assert counts["correct"] == sum(one >= threshold - 1e-6 for one in rewards.values())
        assert (len(kept) > 0) is (threshold < 1.0), group
    assert rest.outcome.iterations[0].selection == selected["select"]


def test_a_threshold_that_nothing_reaches_is_said_and_the_loop_goes_on(rest: Ran) -> None:
    said = [text for text in rest.outcome.warnings if "Improve" in text]
    assert [text.split(":")[0] for text in said] == ["iteration 1", "iteration 2"]
    assert "no sample has a reward of 1.0 or more" in said[0] and "\n" not in said[0]


def test_the_report_counts_what_every_improve_step_cost(rest: Ran) -> None:
    found = summarise(report_call(rest.config, rest.outcome), rest.store)
    assert found.cost is not None
    steps = Counter({(row.iteration, row.step): row.tasks for row in found.cost.steps})
    assert [steps[number, "finetune"] for number in (1, 2)] == [2, 2]
    assert [steps[number, "select"] for number in (1, 2)] == [2, 2]


def test_a_sample_with_some_reward_is_not_called_correct(rest: Ran) -> None:
    page = render(summarise(report_call(rest.config, rest.outcome), rest.store))
    assert "share accepted" in page and "too little reward" in page
    assert "share correct" not in page
    note = rest.store.manifest(rest.outcome.iterations[0].selection).stats.note
    assert "accepted" in note and "correct" not in note


# ---- teacher, greedy ----
@pytest.mark.engine
def test_a_teachers_samples_train_the_policy() -> None:
    changes = ("model.base=embedded:tiny-code", "sampling.teacher=embedded:tiny-math")
    ran = Ran(load_config("math-demo", [*SMALL, *SMALLEST, *changes, *QUIET]))
    before, now, _ = ran.outcome.iterations
    teacher = next(ref for group, ref in ran.done if group == "teacher")
    drawn = ran.rows(before.drawn.samples, "samples.parquet")
    assert {row["model"] for row in drawn} == {teacher.digest} != {before.policy.digest}
    greedy = ran.rows(before.greedy.samples, "samples.parquet")
    assert {row["model"] for row in greedy} == {before.policy.digest}
    # Trained on what the teacher solved, from the smaller model; and its samples are drawn once.
    assert ran.start(now.policy) == before.policy.key
    assert ran.made(now.policy).inputs["rows"].rows > 0
    assert now.drawn.samples == before.drawn.samples


@pytest.mark.engine
def test_star_draws_one_greedy_solution() -> None:
    changes = ("data.train_limit=16", "data.test_limit=8", "data.validation=4", "iterations=1")
    evaluation = ("evaluation.samples=1", "evaluation.pass_k=[1]", "evaluation.majority=[]")
    ran = Ran(load_config("star", [*changes, *evaluation, *QUIET]))
    drawn = ran.outcome.iterations[0].drawn
    assert [row["index"] for row in ran.rows(drawn.samples, "samples.parquet")] == [0] * 16
    sampling = ran.made(drawn.samples[0]).settings["sampling"]
    assert (sampling["temperature"], sampling["top_k"]) == (0.0, 0)


# ---- configurations ----
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rest", {"score": "tests", "start_from": "last", "thresholds": [0.5, 0.8, 1.0]}),
        ("rft", {"iterations": 1, "cap": 0, "dedup": "exact", "start_from": "base"}),
        ("star", {"temperature": 0, "samples": 1, "start_from": "base", "thresholds": []}),
        ("rlhf", {"labels": "people", "by": "model", "improve": "rl", "swap": True}),
        ("rlaif", {"labels": "judge", "by": "model", "improve": "rl", "reasoning": True}),
        ("rlaif-direct", {"labels": "judge", "by": "judge", "improve": "rl"}),
        ("rest-rm", {"by": "model", "improve": "sft", "thresholds": [0.5, 0.6, 0.7]}),
        ("self-rewarding", {"by": "judge", "improve": "dpo", "pairs": "extremes"}),
    ],
)
def test_a_method_is_its_fields(name: str, expected: dict[str, Any]) -> None:
    data = load_config(name).model_dump()
    # Sections that have a field of the same name: the one that is meant comes last.
    names = ("judge", "reward", "finetune", "filter", "sampling")
    flat = {key: value for name in names for key, value in data[name].items()}
    flat["iterations"] = data["iterations"]
    assert {key: flat[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sampling.temperature=0", "temperature 0 gives one solution for each problem"),
        ("filter.score=tests", "filter.score: tests is a reward of programs"),
        ("filter.thresholds=[0.8, 0.5]", "expected rising rewards in (0, 1]"),
        ("filter.thresholds=[0.5, 1.5]", "expected rising rewards in (0, 1]"),
        ("filter.select=worst", "filter.select"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(change: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", [change])
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_runs_that_the_readme_shows_keep_their_ids() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"restem ((?:math|code)-demo)-([0-9a-f]{8})", readme)
    assert {name for name, _ in shown} == {"math-demo", "code-demo"}
    for name, digest in shown:
        assert load_config(name).run_id == f"{name}-{digest}"


def later_fields(config: RestEmConfig) -> Iterator[tuple[str, str]]:
    for name in type(config).model_fields:
        if isinstance(section := getattr(config, name), Section):
            yield from ((name, field) for field in sorted(section.LATER))


def another(section: Section, field: str) -> Any:
    """A value that a field may have beside its default."""
    default = getattr(section, field)
    if field in section.CHOICES:
        return next(one for one in section.CHOICES[field].names if one != default)
    if field == "rewards":
        return [WeightedReward(weight=2.0)]
    if field == "more":
        return [MoreData(source="problems.csv")]
    if isinstance(default, Section):
        return default.model_copy(update={next(iter(type(default).model_fields)): "other"})
    if choices := get_args(type(section).model_fields[field].annotation):
        if isinstance(default, str):
            return next(one for one in choices if one != default)
        return [0.5]
    if isinstance(default, bool):
        return not default
    return "embedded:tiny-math" if isinstance(default, str) else type(default)(2 * default + 1)


@pytest.mark.parametrize(("section", "field"), list(later_fields(RestEmConfig())))
def test_a_later_field_is_in_keys_only_when_it_says_something(section: str, field: str) -> None:
    config = parse(RestEmConfig, {"data": {"train": "synthetic_code"}}, "test")
    default, value = (
        getattr(getattr(config, section), field),
        another(getattr(config, section), field),
    )
    raw = config.model_dump()
    same = parse(RestEmConfig, raw | {section: raw[section] | {field: default}}, "test")
    assert same.run_id == config.run_id and field not in getattr(same, section).recipe()
    # Not read again: some mean something beside another field alone.
    changed = getattr(config, section).model_copy(update={field: value})
    other = config.model_copy(update={section: changed})
    assert other.run_id != config.run_id
    assert getattr(other, section).recipe()[field] == in_keys(getattr(changed, field))


def in_keys(value: Any) -> Any:
    """How a value stands in keys."""
    if isinstance(value, Section):
        return value.recipe()
    return [in_keys(one) for one in value] if isinstance(value, list) else value
