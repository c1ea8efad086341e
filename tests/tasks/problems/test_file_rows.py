"""Choices and programs of one's own: what stands in a row, and the problem that it becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.problems.loading import prepare_splits
from tasks.problems.own.tries import reference_try
from tasks.problems.step import block_digest
from tasks.rows import Row
from tasks.settings import DataSettings

ASSERTS = "def check(candidate):\n    f = candidate\n    assert f(1) == 2\n"
CHECK = "def check(candidate):\n    assert candidate(1) == 2\n"
HEAD = 'def f(x):\n    """Add one."""\n'


def row_of(tmp_path: Path, domain: str, row: dict[str, Any], **columns: str) -> Row:
    """The problem that a row is, of a file with another row beside it."""
    path = tmp_path / "a.jsonl"
    other = {**row, "question": "Another?"}
    path.write_text(json.dumps(row) + "\n" + json.dumps(other) + "\n")
    asked = {"train": "file", "source": str(path), "domain": domain, "validation": 0}
    made = prepare_splits(DataSettings.model_validate({**asked, "columns": columns}))
    rows = [one for some in made.values() for one in some]
    (found,) = [one for one in rows if not one["question"].startswith("Another?")]
    return found


@pytest.mark.parametrize(
    ("options", "answer", "letter"),
    [
        (["red", "blue"], "B", "B"),
        (["red", "blue"], "(b)", "B"),
        (["red", "blue"], "blue", "B"),
        (["red", "blue"], 1, "B"),
        (["red", "blue"], "0", "A"),
        ('["red", "blue"]', "red", "A"),
        ({"text": ["red", "blue"], "label": ["1", "2"]}, "1", "A"),
        ({"A": "red", "B": "blue"}, "B", "B"),
        ([1, 2.5, "x"], 2.5, "B"),
    ],
)
def test_the_answer_to_a_choice_is_a_letter(
    options: object, answer: object, letter: str, tmp_path: Path
) -> None:
    row = row_of(tmp_path, "choice", {"question": "q", "options": options, "answer": answer})
    assert row["reference"] == letter
    assert row["question"].startswith("q\n(A) ") and "\n(B) " in row["question"]


def test_options_may_have_a_column_each(tmp_path: Path) -> None:
    given = {"question": "q", "opa": "red", "opb": "blue", "opc": "green", "cop": 2}
    row = row_of(tmp_path, "choice", given, options="opa, opb, opc", reference="cop")
    assert row["question"] == "q\n(A) red\n(B) blue\n(C) green"
    assert row["reference"] == "C"


def test_options_may_stand_in_the_question(tmp_path: Path) -> None:
    row = row_of(tmp_path, "choice", {"question": "q (A) red (B) blue", "answer": "(B)"})
    assert (row["question"], row["reference"]) == ("q (A) red (B) blue", "B")


@pytest.mark.parametrize(
    ("given", "reference"),
    [
        (
            {"tests": {"inputs": ["1\n"], "outputs": ["2\n"]}},
            {"tests": [{"input": "1\n", "output": "2\n"}]},
        ),
        (
            {"input_output": '{"inputs": ["1"], "outputs": ["2"]}'},
            {"tests": [{"input": "1", "output": "2"}]},
        ),
        ({"inputs": ["1"], "outputs": ["2"]}, {"tests": [{"input": "1", "output": "2"}]}),
        (
            {"tests": [{"input": "1", "output": "2"}]},
            {"tests": [{"input": "1", "output": "2"}]},
        ),
        (
            {"tests": {"inputs": [[1]], "outputs": [2], "fn_name": "f"}},
            {"entry_point": "f", "cases": [{"args": [1], "expected": 2}]},
        ),
        (
            {"tests": {"inputs": [[1]], "outputs": [[2]]}, "entry_point": "f"},
            {"entry_point": "f", "cases": [{"args": [1], "expected": 2}]},
        ),
        ({"test_list": ["assert f(1) == 2"]}, {"entry_point": "f", "check": ASSERTS}),
        ({"tests": '["assert f(1) == 2"]'}, {"entry_point": "f", "check": ASSERTS}),
        ({"tests": "assert f(1) == 2"}, {"entry_point": "f", "check": ASSERTS}),
        ({"tests": CHECK, "entry_point": "f"}, {"entry_point": "f", "check": CHECK}),
    ],
)
def test_tests_of_the_usual_forms(
    given: dict[str, Any], reference: dict[str, Any], tmp_path: Path
) -> None:
    row = row_of(tmp_path, "code", {"question": "q", **given})
    assert json.loads(row["reference"]) == reference


def test_a_completion_goes_on_from_a_head(tmp_path: Path) -> None:
    given = {"prompt": HEAD, "test": CHECK, "entry_point": "f", "canonical_solution": "  return 2"}
    path = tmp_path / "a.jsonl"
    other = {**given, "prompt": HEAD.replace("one", "two")}
    path.write_text(json.dumps(given) + "\n" + json.dumps(other) + "\n")
    asked = {"train": "file", "source": str(path), "domain": "code", "validation": 0}
    made = prepare_splits(DataSettings.model_validate(asked))
    for row in (*made["train"], *made["test"]):
        assert json.loads(row["reference"])["head"] == row["question"]
        assert reference_try(row) == "  return 2"


def test_the_function_to_write_is_named_in_the_question(tmp_path: Path) -> None:
    row = row_of(tmp_path, "code", {"question": "q", "tests": ["assert f(1) == 2"]})
    assert row["question"] == "q\n\nWrite the function f."
    given = {"question": "q", "tests": ["assert f(1) == 2"], "starter_code": "def f(x):"}
    row = row_of(tmp_path, "code", given)
    assert row["question"] == "q\n\nComplete this code:\ndef f(x):"


def test_a_subject_that_chooses_a_prompt_is_in_the_digest(tmp_path: Path) -> None:
    row = row_of(tmp_path, "math", {"question": "q", "answer": 1, "subject": "sums"})
    other = {**row, "subject": "products"}
    assert block_digest([row]) != block_digest([other])
    named = [{**one, "id": "math/train/1"} for one in (row, other)]
    assert block_digest(named[:1]) == block_digest(named[1:])
