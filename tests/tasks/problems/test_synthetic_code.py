"""The made-up programming tasks: sides that stay apart, tests that are right and that tell."""

from __future__ import annotations

import itertools
import json
import random
import re
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from tasks.errors import UserError
from tasks.problems.loading import prepare_splits
from tasks.problems.synthetic_code import (
    CODE_SHAPES,
    CODE_SIZES,
    PROBES,
    TESTS_A_TASK,
    behaviour,
    code_stream,
    load_split,
    share_of,
)
from tasks.problems.synthetic_code_tasks import (
    LIST,
    NUMBERS,
    CodeStep,
    CodeTask,
    at_once,
    in_function,
    stepwise,
)
from tasks.problems.synthetic_math import LEVELS
from tasks.settings import DataSettings


@pytest.fixture(scope="module")
def splits() -> dict[str, list[dict]]:
    return {split: list(load_split(split)) for split in CODE_SIZES}


def output(program: str, given: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], input=given, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{program}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_sizes_levels_and_fields(splits: dict[str, list[dict]]) -> None:
    for split, rows in splits.items():
        assert Counter(row["level"] for row in rows) == dict(
            zip(LEVELS, CODE_SIZES[split], strict=True)
        )
        assert {(row["domain"], row["split"]) for row in rows} == {("code", split)}
        for row in rows:
            tests = json.loads(row["reference"])["tests"]
            assert len({test["input"] for test in tests}) == len(tests) == TESTS_A_TASK
            assert len({test["output"] for test in tests}) > 1
            assert all(test["output"].strip() for test in tests)
    ids = [row["id"] for rows in splits.values() for row in rows]
    assert len(set(ids)) == len(ids)


@pytest.mark.slow
def test_same_problems_every_time(splits: dict[str, list[dict]]) -> None:
    random.seed(5)  # the global state of random must not matter
    assert list(itertools.islice(load_split("train"), 100)) == splits["train"][:100]


@pytest.mark.slow
def test_reference_solutions_give_the_expected_outputs(splits: dict[str, list[dict]]) -> None:
    by_level = defaultdict(list)
    for row in splits["train"]:
        by_level[row["level"]].append(row)
    for row in itertools.chain(*(random.Random(1).sample(rows, 4) for rows in by_level.values())):
        for test in json.loads(row["reference"])["tests"]:
            assert output(row["solution"], test["input"]) == test["output"], row["question"]


@pytest.mark.slow
def test_all_ways_to_write_a_program_are_right() -> None:
    for problem in itertools.islice(code_stream("corpus", seed=11), 20):
        for write in (stepwise, at_once, in_function):
            for given, expected in problem.tests[:2]:
                assert output(write(problem.task), given) == expected


@pytest.mark.parametrize(
    ("kind", "steps", "program"),
    [
        (
            NUMBERS,
            [("plus", "b"), ("times", "3")],
            "a=int(input())\nb=int(input())\nprint((a+b)*3)",
        ),
        (NUMBERS, [("times", "b"), ("plus", "3")], "a=int(input())\nb=int(input())\nprint(a*b+3)"),
        (NUMBERS, [("minus", "4"), ("max", "2")], "a=int(input())\nprint(max(a-4,2))"),
        (
            LIST,
            [("sort", ""), ("over", "5")],
            "x=list(map(int,input().split()))\nprint(*[v for v in sorted(x) if v>5])",
        ),
    ],
)
def test_program_in_one_expression(kind: str, steps: list[tuple[str, str]], program: str) -> None:
    assert at_once(CodeTask("2", kind, tuple(CodeStep(*step) for step in steps))) == program


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_task_stands_on_two_sides(seed: int) -> None:
    sides = {
        share: [problem.task for problem in itertools.islice(code_stream(share, seed=seed), 200)]
        for share in ("train", "test", "corpus")
    }
    for compared in (lambda task: task.text, behaviour, stepwise):
        found = {share: {compared(task) for task in tasks} for share, tasks in sides.items()}
        for one, other in itertools.combinations(found.values(), 2):
            assert one and not one & other


def test_operations_that_commute_stay_on_one_side() -> None:
    for number in map(str, range(2, 40)):
        first, second = CodeStep("sort"), CodeStep("plus", number)
        ways = [CodeTask("3", LIST, (first, second)), CodeTask("3", LIST, (second, first))]
        assert len({share_of(task) for task in ways}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 7])
def test_no_problem_has_a_twin_in_another_split_of_a_run(seed: int) -> None:
    parts = prepare_splits(DataSettings(train="synthetic_code", seed=seed, validation=200))
    assert {name: len(rows) for name, rows in parts.items()} == {
        "train": sum(CODE_SIZES["train"]) - 200,
        "validation": 200,
        "test": sum(CODE_SIZES["test"]),
    }
    solutions = {name: {row["solution"] for row in rows} for name, rows in parts.items()}
    for one, other in itertools.combinations(solutions.values(), 2):
        assert not one & other


def test_every_operation_changes_some_test() -> None:
    """A program that leaves one out, the likeliest mistake of a small model, is caught."""
    for problem in itertools.islice(code_stream("train", seed=4), 100):
        task = problem.task
        assert len(task.steps) == CODE_SHAPES[task.level][1]
        for place in range(len(task.steps)):
            lazy = CodeTask(task.level, task.kind, task.steps[:place] + task.steps[place + 1 :])
            tests = [([int(word) for word in given.split()], said) for given, said in problem.tests]
            assert any(lazy.run(values) + "\n" != said for values, said in tests), task.text


def test_questions_are_short_and_tell_every_operand(splits: dict[str, list[dict]]) -> None:
    for row in splits["train"] + splits["test"]:
        assert len(re.findall(r"\w+", row["question"])) <= 13
        told = re.findall(r"\d+", row["question"])
        assert set(told) <= set(re.findall(r"\d+", row["solution"])), row["question"]
        assert len(row["solution"]) < 140


def test_probes_are_of_the_kind() -> None:
    assert all(len(values) == 2 for values in PROBES[NUMBERS])
    assert {len(values) for values in PROBES[LIST]} > {4, 8}


@pytest.mark.parametrize(
    ("split", "source", "said"),
    [("validation", "", "split"), ("corpus", "", "split"), ("train", "/data/x", "data.source")],
)
def test_mistakes_are_said_in_one_line(split: str, source: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        next(load_split(split, source=source))
    assert "\n" not in str(caught.value)
