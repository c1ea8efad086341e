"""The shifted problems: held out, unlike the training problems, and never trained on."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from flows.config.benchmarks import BENCHMARKS
from tasks.errors import UserError
from tasks.problems import synthetic_code, synthetic_code_shift
from tasks.problems.loading import load_split, prepare_splits, prepare_test
from tasks.problems.synthetic_math import THINGS
from tasks.score.math.grade import grade
from tasks.settings import BenchmarkName, DataSettings
from tests.tasks.problems.test_synthetic_code import output
from tests.tasks.problems.test_synthetic_math import left_to_right, read, runs

NAMES = ("synthetic_math", "synthetic_code")


def rows_of(name: str) -> list[dict]:
    return list(load_split(name, "test"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_fields(name: str) -> None:
    rows = rows_of(f"{name}_shift")
    assert Counter(row["subject"] for row in rows) == {"longer": 100, "reworded": 200}
    assert len({row["id"] for row in rows}) == len({row["question"] for row in rows}) == 300
    assert {row["domain"] for row in rows} == {name.removeprefix("synthetic_")}
    assert rows == rows_of(f"{name}_shift")
    levels = Counter(row["level"] for row in rows if row["subject"] == "reworded")
    assert levels == dict.fromkeys("12345", 40)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_training_problem_shares_thirteen_words(name: str) -> None:
    """The size at which `select` takes a training problem for a copy."""
    train: set[tuple[str, ...]] = set()
    for row in load_split(name, "train"):
        train |= runs(row["question"], 13)
    shifted = [runs(row["question"], 13) for row in rows_of(f"{name}_shift")]
    assert train and any(shifted)
    assert not any(train & one for one in shifted)


def test_sums_are_held_out_and_solutions_right() -> None:
    plain = re.compile(rf"(, \w+ \d+) (?:{'|'.join(THINGS)})\b")
    seen = {read(row["question"]) for row in load_split("synthetic_math", "train")}
    for row in rows_of("synthetic_math_shift"):
        question = plain.sub(r"\1", row["question"])
        arithmetic = read(re.sub(r"How many \w+", "How many", question))
        assert arithmetic not in seen
        assert str(left_to_right(arithmetic)) == row["reference"]
        assert grade(row["reference"], row["solution"]).reward == 1.0
        if row["subject"] == "longer":
            assert len(re.findall(r"[-+]", arithmetic)) == 4
        else:
            assert question != row["question"] or "How many?" not in question


@pytest.mark.slow
def test_tasks_are_held_out_and_solutions_right() -> None:
    trained = {row["solution"] for row in load_split("synthetic_code", "train")}
    rows = rows_of("synthetic_code_shift")
    assert not trained & {row["solution"] for row in rows}
    for row in rows[::25]:
        for test in json.loads(row["reference"])["tests"]:
            assert output(row["solution"], test["input"]) == test["output"], row["question"]


def test_what_they_compute_is_of_the_share_test() -> None:
    problems = list(synthetic_code_shift.problems())
    assert {synthetic_code.share_of(problem.task) for _, problem in problems} == {"test"}
    assert {len(problem.task.steps) for _, problem in problems[:100]} == {4}


@pytest.mark.parametrize(
    ("name", "shift"),
    [("synthetic_math", "synthetic_math_shift"), ("synthetic_code", "synthetic_code_shift")],
)
def test_they_are_benchmarks_and_refused_in_training(
    name: BenchmarkName, shift: BenchmarkName
) -> None:
    assert BENCHMARKS[shift].prompt == BENCHMARKS[name].prompt
    assert BENCHMARKS[shift].code == BENCHMARKS[name].code
    assert len(prepare_test(shift, "", 0, 50)) == 50
    with pytest.raises(UserError, match=f"{shift}: it is for evaluation only.*{name}$") as caught:
        prepare_splits(DataSettings.model_validate({"train": shift}))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"data\.source"):
        prepare_test(shift, "/data/x", 0, 0)
