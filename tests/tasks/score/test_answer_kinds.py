"""Pairs of our own by kind of answer, labelled by mathematics before they were run."""

import json
from pathlib import Path

import pytest

from tasks.rows import Status
from tasks.score.math.pool import GradePool

FILES = ("kinds_cases.json", "written_cases.json", "sentence_cases.json")
CASES = {
    kind: rows
    for name in FILES
    for kind, rows in json.loads((Path(__file__).parent / name).read_text(encoding="utf-8")).items()
}


@pytest.fixture(scope="module")
def pool():
    with GradePool(workers=1, time_limit=10.0) as pool:
        yield pool


@pytest.mark.parametrize("kind", CASES)
def test_kind(pool, kind):
    rows = CASES[kind]
    grades = [grade for grade, _ in pool.grade([(gold, text) for gold, text, _ in rows])]
    wrong = [
        f"{gold!r} {'=' if same else '≠'} {text!r}: {grade.status.value}, {grade.extracted!r}"
        for (gold, text, same), grade in zip(rows, grades, strict=True)
        if (grade.status is Status.CORRECT) is not same
    ]
    assert not wrong, "\n".join(wrong)
