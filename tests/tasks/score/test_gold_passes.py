"""Every reference answer of the real data sets passes its own checker."""

import gzip
import json
import os
from pathlib import Path

import pytest

from tasks.rows import Status
from tasks.score.math.pool import GradePool

DATA = os.environ.get("RESTEM_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="RESTEM_DATA is not set"),
]


def rows(name):
    with gzip.open(Path(DATA or "") / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def failures(pairs):
    """The pairs that are not found correct; none of them may need a process."""
    with GradePool(workers=1, time_limit=5.0) as pool:
        results = list(pool.grade(pairs))
        assert pool.pids() == []
    assert len(results) == len(pairs)
    return [
        pair
        for pair, (grade, _) in zip(pairs, results, strict=True)
        if grade.status is not Status.CORRECT
    ]


@pytest.mark.parametrize(("name", "count"), [("gsm8k_train", 7473), ("gsm8k_test", 1319)])
def test_gsm8k(name, count):
    data = rows(name)
    assert len(data) == count
    assert failures([(row["answer"], row["answer"]) for row in data]) == []
    assert failures([(row["final_answer"], row["answer"]) for row in data]) == []
    answers = [f"So that makes {row['final_answer']} in all." for row in data]
    pairs = [(row["answer"], answer) for row, answer in zip(data, answers, strict=True)]
    assert failures(pairs) == []


def test_svamp():
    data = rows("svamp")
    answers = [str(row["answer"]) for row in data]
    assert len(data) == 1000
    assert failures([(answer, answer) for answer in answers]) == []
    assert failures([(answer, f"#### {int(float(answer)):,}") for answer in answers]) == []


def test_math_answers_equal_themselves():
    answers = [row["answer"] for row in rows("math_answers")]
    assert len(answers) == 12500
    bare = failures([(answer, answer) for answer in answers])
    boxed = failures([(answer, rf"Thus we have $\boxed{{{answer}}}$.") for answer in answers])
    # Two problems of the data set come without an answer.
    assert bare == [("", "")] * 2
    assert [gold for gold, _ in boxed] == ["", ""]
