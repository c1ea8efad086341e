"""`data.max_tests` keeps the longest tests, says what it left out, and is in the key when set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.config.rest_em import RestEmConfig, load_config
from tasks.dag.runtime import Runtime
from tasks.problems.longest import keep_longest
from tasks.problems.step import load_splits, prepare_problems, problems_call
from tasks.rows import Json, Row
from tasks.settings import DataSettings
from tasks.store.store import Draft


def problem(reference: Json, domain: str = "code") -> Row:
    return {"id": "a", "domain": domain, "reference": json.dumps(reference)}


def kept(reference: Json, most: int) -> Json:
    rows, _ = keep_longest({"train": [problem(reference)]}, most)
    return json.loads(rows["train"][0]["reference"])


def test_the_longest_inputs_are_kept_in_their_order() -> None:
    inputs = ["1", "4444", "22", "55555", "4445"]
    tests = [{"input": one, "output": one} for one in inputs]
    found = kept({"tests": tests, "checker": "x"}, 3)
    assert [one["input"] for one in found["tests"]] == ["4444", "55555", "4445"]
    assert found["checker"] == "x"
    assert kept({"tests": tests}, 1)["tests"] == [tests[3]]
    assert kept({"tests": tests}, 5) == kept({"tests": tests}, 0) == {"tests": tests}


def test_calls_are_as_long_as_their_arguments() -> None:
    cases = [{"args": [list(range(n))], "expected": "x" * (9 - n)} for n in (3, 1, 5)]
    found = kept({"entry_point": "f", "cases": cases}, 2)
    assert found == {"entry_point": "f", "cases": [cases[0], cases[2]]}


def test_what_has_no_list_of_tests_stays() -> None:
    check = problem({"entry_point": "f", "check": "def check(f): ..."})
    answer = problem({"tests": [1, 2]}, domain="math")
    assert keep_longest({"test": [check, answer]}, 1) == ({"test": [check, answer]}, "")


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    row = {"difficulty": "introductory"}
    tests = {"inputs": ["1", "1 2 3", "1 2"], "outputs": ["1", "6", "3"]}
    lines = [
        {**row, **tests, "question": f"Add {n}.", "id": n, "split": s}
        for n, s in enumerate(["train", "test"])
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    settings = DataSettings(train="apps", source=str(path), validation=0, max_tests=2)
    draft = Draft(tmp_path)
    prepare_problems.fill(problems_call(settings), draft, Runtime.__new__(Runtime))
    assert draft.stats.note == "2 tests left out beside the 2 longest of a problem"
    for rows in (load_splits(tmp_path)[split] for split in ("train", "test")):
        reference = json.loads(rows[0]["reference"])
        assert [one["input"] for one in reference["tests"]] == ["1 2 3", "1 2"]


def test_it_is_in_the_key_only_when_set() -> None:
    given = {"train": "synthetic_code"}
    plain = problems_call(DataSettings.model_validate(given))
    assert "max_tests" not in plain.settings
    assert plain.key == problems_call(DataSettings.model_validate({**given, "max_tests": 0})).key
    assert plain.key != problems_call(DataSettings.model_validate({**given, "max_tests": 3})).key


def test_problems_of_other_domains_have_no_tests() -> None:
    with pytest.raises(ValidationError, match="max_tests: it is for problems of code"):
        DataSettings(train="gsm8k", max_tests=3)


def test_new_columns_and_conditions_at_their_defaults_leave_the_run_its_id() -> None:
    """As the ids were before there were any."""
    config = load_config("code-demo")
    raw = config.model_dump()
    data = {"train": "file", "source": "a.jsonl", "domain": "code", "columns": {"tests": "t"}}
    own = RestEmConfig.model_validate({**raw, "data": {**raw["data"], **data}})
    assert own.data.recipe()["columns"].keys() == {
        *("question", "reference", "solution", "tests", "entry_point", "starter_code", "options"),
        *("level", "subject", "id", "split"),
    }
    more = {**data, "columns": {"tests": "t", "checker": "c"}}
    other = RestEmConfig.model_validate({**raw, "data": {**raw["data"], **more}})
    assert own.run_id != other.run_id
