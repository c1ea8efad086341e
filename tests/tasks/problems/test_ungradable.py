"""What of a code data set cannot be graded, or not well, is counted and said."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from flows.rest_em.inputs import RunInputs
from flows.rest_em.summary import _gaps
from tasks.checkers.known import has_checker
from tasks.dag.runtime import Runtime
from tasks.problems.apps import load_split
from tasks.problems.step import prepare_problems, problems_call
from tasks.problems.ungradable import count_several, describe, several_answers
from tasks.settings import DataSettings
from tasks.store.manifest import Stats
from tasks.store.store import Draft

TESTS = {"inputs": ["1\n"], "outputs": ["3\n"]}
# Found by reading all 274 statements. The reference solutions of the last four are unlike the
# expected output too: three have several right answers and do not say so, one is wrong.
SAY_SO = {
    *("0000", "0002", "0005", "0006", "0010", "0024", "0028", "0041", "0044", "0046", "2012"),
    *("2020", "2023", "2025", "2029", "2031", "2038", "2043", "2051", "2054", "2095", "2096"),
    *("2144", "2187", "2287", "2365", "2378", "2379", "2382", "2395", "2398", "2400", "2406"),
}
SILENT = {"0033", "2033", "2391", "2386"}


@pytest.mark.parametrize(
    "statement",
    [
        "If there are several answers, you can print any.",
        "If there are multiple optimal schedules, print\nany of them.",
        "If multiple subsequences satisfy this, you are allowed to find any of them.",
        "Your task is to find any suitable permutation.",
        "In the second line print any example of such a necklace.",
        "If there are many such sequences, any of them will be accepted.",
        "You can print solutions in any order.",
        "-----Output-----\nThe first line has $k$.\n\nThen $k$ numbers in any order.\n",
        "return any i such that a[i] < a[i + 1]",
        "Your answer will be considered correct if $|a - b| \\le 1$.",
    ],
)
def test_a_statement_says_that_there_are_several(statement: str) -> None:
    assert several_answers(f"You are given $n$.\n{statement}\n")


@pytest.mark.parametrize(
    "statement",
    [
        "If there are several ways to get the same score, find the minimum number.",
        "If more than one digit works, give the lowest one.",
        "How many ways are there? There are many ways to go.",
        "In one move you can choose any index $i$ and do the operations in any order.",
        "You get the ages of all members, in any order.\n-----Input-----\nin any order",
        "-----Output-----\nPrint $n$.\n\n-----Examples-----\nThe moves are made in any order.",
        "You can print every letter in any case.",
        "Your answer is considered correct if its absolute or relative error is below $10^{-6}$.",
        "Let the jury's answer be b. It is considered correct if $|a - b| \\le 10^{-6}$.",
    ],
)
def test_a_statement_says_no_such_thing(statement: str) -> None:
    assert not several_answers(f"You are given $n$.\n{statement}\n")


def test_the_statements_of_real_problems(data: Path) -> None:
    rows = list(load_split("train", source=str(data)))
    found = {row["id"][-4:] for row in rows if several_answers(row["question"])}
    assert found == SAY_SO
    # Those that a checker judges are compared with no one answer; of the others each has but one.
    left = {row["id"][-4:] for row in rows if row["id"][-4:] in found and not has_checker(row)}
    assert left == {"2038", "2406"}
    assert count_several(rows) == 2


def test_the_counts_are_said_in_a_line() -> None:
    left_out = {"train": Counter({"no tests": 2}), "test": Counter({"no tests": 1, "long": 0})}
    assert describe(left_out, {"train": 1, "test": 0}) == (
        "3 rows left out: no tests, 1 problem with several right answers (statement says so)"
    )
    assert describe({"train": Counter()}, {"train": 0}) == ""


def test_the_artifact_tells_what_was_left_out_at_the_level_asked_for(tmp_path: Path) -> None:
    row = {"question": "Print any.", "difficulty": "introductory", "split": "train"}
    rows = [
        {**row, "id": "1", **TESTS},
        {**row, "id": "2", "question": "Print 3.", **TESTS},
        {**row, "id": "3"},
        {**row, "id": "4", "difficulty": "interview"},
        {**row, "id": "5", "split": "test", "question": "Print any of them.", **TESTS},
        {**row, "id": "6", "split": "test", "input_output": f"[{'9' * 5000}]"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    call = problems_call(DataSettings(train="apps", source=str(path), validation=0))
    draft = Draft(tmp_path)
    prepare_problems.fill(call, draft, Runtime.__new__(Runtime))
    assert draft.stats.left_out == {
        "train": {"no tests": 1},
        "test": {"a number of more digits than Python reads": 1},
    }
    assert draft.stats.several_answers == {"train": 1, "validation": 0, "test": 1}
    assert draft.stats.note == (
        "1 row left out: a number of more digits than Python reads, 1 row left out: no tests, "
        "2 problems with several right answers (statement says so)"
    )


class OneManifest:
    """A store that holds the problems alone."""

    def __init__(self, note: str | None) -> None:
        self.stats = Stats(note=note)

    def manifest(self, _: object) -> OneManifest:
        return self


def test_the_report_tells_it_too() -> None:
    def said(note: str | None) -> list[str]:
        return _gaps(RunInputs(OneManifest(note), {"problems": None}))  # type: ignore

    assert said("1 row left out: no tests") == ["problems: 1 row left out: no tests"]
    assert said(None) == []
