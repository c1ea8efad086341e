"""Our own checkers: other right answers pass, wrong and malformed ones do not, and none fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits
from sandbox.verdict import Test as Case
from tasks.checkers.known import KNOWN, checker_source, has_checker, judged_reference
from tasks.problems.apps import load_split
from tasks.rows import Row


class Answers(TypedDict):
    given: str
    expected: str
    right: list[str]
    wrong: list[str]


CASES: dict[str, Answers] = json.loads(Path(__file__).with_name("checker_cases.json").read_text())
NONSENSE = ["", "0", "-1", "x", "1_0 ٣ ½", "9" * 5000, "nan nan nan", "\0\n\n", "1 " * 10_000]


def judge(name: str, given: str, expected: str, printed: str) -> bool:
    names: dict[str, object] = {}
    exec(checker_source(name), names)
    return names["check_output"](given, expected, printed)  # type: ignore[operator]


def test_every_checker_has_cases() -> None:
    assert CASES.keys() == KNOWN.keys()


@pytest.mark.parametrize("name", CASES)
def test_every_right_answer_passes(name: str) -> None:
    case = CASES[name]
    for printed in (case["expected"], *case["right"]):
        assert judge(name, case["given"], case["expected"], printed), printed


@pytest.mark.parametrize("name", CASES)
def test_no_wrong_answer_passes(name: str) -> None:
    case = CASES[name]
    more = [f"{case['expected']} 1", case["expected"].rpartition(" ")[0], *NONSENSE]
    for printed in (*case["wrong"], *more):
        assert judge(name, case["given"], case["expected"], printed) is False, printed


def test_a_broken_reference_is_no_wrong_answer() -> None:
    with pytest.raises(ValueError, match="too few words"):
        judge("sequences.proper_sequence", "1\n3\n1 1", "1 2 3", "1 2 3")


def test_a_problem_is_known_by_its_text(data: Path) -> None:
    rows = {row["id"][-4:]: row for row in load_split("train", source=str(data))}
    for name, keys in KNOWN.items():
        for number in keys.values():
            row = rows[number]
            assert has_checker(row)
            reference = json.loads(judged_reference(row))
            assert reference.pop("checker") == checker_source(name)
            assert reference == json.loads(row["reference"])
            blank = {**row, "question": "  " + row["question"].replace(" ", "\n")}
            assert judged_reference(blank) == judged_reference(row)
            other: Row = {**row, "question": row["question"] + " Print it backwards."}
            assert judged_reference(other) == row["reference"]
    assert sum(map(has_checker, rows.values())) == len(KNOWN) == 34


@pytest.mark.docker
def test_they_run_in_the_sandbox(image: str) -> None:
    jobs, wanted = [], []
    for name, case in CASES.items():
        for kind, status in (("right", "correct"), ("wrong", "wrong_answer")):
            for printed in case[kind]:
                test = Case(case["given"], case["expected"])
                checker = checker_source(name)
                jobs.append(Job(f"print({printed!r})", (test,), limits=Limits(), checker=checker))
                wanted.append((name, printed, status))
    with SandboxPool(image, workers=2) as pool:
        found = list(pool.run(jobs))
    told = [verdict.detail for verdict in found if verdict.status.value == "sandbox_error"]
    assert told == []
    statuses = [verdict.status.value for verdict in found]
    assert [(*one[:2], status) for one, status in zip(wanted, statuses, strict=True)] == wanted
