"""A table of answers of our own, by form, each case both ways round, through the pool."""

import json
from pathlib import Path

import pytest

from tasks.rows import Status
from tasks.score.math.extract.answer import extract_answer
from tasks.score.math.pool import GradePool

TABLE = json.loads((Path(__file__).parent / "math_cases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pool():
    with GradePool(workers=2, time_limit=10.0) as checkers:
        yield checkers


def test_the_table_is_large_and_has_both_outcomes():
    rows = [row for rows in TABLE.values() for row in rows]
    equal = sum(same for _, _, same in rows)
    assert len(rows) >= 600
    assert min(equal, len(rows) - equal) >= 200
    assert len({(gold, prediction) for gold, prediction, _ in rows}) == len(rows)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", TABLE)
def test_form(form, pool):
    """Both ways round; only of hostile text may the verdict be that there is none."""
    rows = TABLE[form]
    straight = [(gold, prediction) for gold, prediction, _ in rows]
    # A reference is not searched for its answer as a prediction is: its mirror is the answer.
    found = extract_answer if form.startswith("extraction") else str
    mirror = [(found(prediction), gold) for gold, prediction, _ in rows]
    grades = [grade for grade, _ in pool.grade(straight + mirror)]
    wrong = []
    for (pair, same), grade in zip(
        zip(straight + mirror, [row[2] for row in rows] * 2, strict=True), grades, strict=True
    ):
        settled = form == "adversarial" or grade.status is not Status.CHECKER_ERROR
        if (grade.status is Status.CORRECT) is not same or not settled:
            sign = "=" if same else "≠"
            wrong.append(f"{pair[0][:80]}  {sign}  {pair[1][:80]}: {grade.status.value}")
    assert not wrong, f"{len(wrong)} of {len(grades)} wrong:\n" + "\n".join(wrong)
