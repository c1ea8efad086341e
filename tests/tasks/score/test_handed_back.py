"""The policy for answers that still have the operation whose result the reference is."""

import pytest

from tasks.rows import Status
from tasks.score.math.pool import GradePool
from tasks.score.step import CHECKERS_KEY, checking
from tasks.settings import ExecutionSettings

WORKED_OUT = ExecutionSettings(handed_back="worked_out")
SUM, OTHER_SUM = r"\boxed{\sum_{k=1}^{10} k}", r"\boxed{\sum_{k=1}^{9} k}"
HANDED_BACK = [
    ("55", SUM),
    (r"\frac{1}{3}", r"$\int_0^1 x^2\,dx$"),
    ("5040", r"4! \cdot 5! + 2160"),
]


def statuses(pairs, *, work_out):
    with GradePool(1, 10.0, work_out=work_out) as pool:
        return [grade.status for grade, _ in pool.grade(pairs)]


def test_a_problem_that_is_handed_back_is_wrong():
    assert set(statuses(HANDED_BACK, work_out=False)) == {Status.WRONG_ANSWER}


@pytest.mark.slow
def test_where_it_may_be_handed_back_its_value_counts():
    assert set(statuses(HANDED_BACK, work_out=True)) == {Status.CORRECT}
    assert statuses([("55", OTHER_SUM)], work_out=True) == [Status.WRONG_ANSWER]


@pytest.mark.parametrize("domain", ["math", "text", "choice", "code"])
def test_at_its_default_the_policy_stands_in_no_key(domain):
    assert "handed_back" not in str(checking([domain], ExecutionSettings()))
    assert "handed_back" not in ExecutionSettings().recipe()
    assert checking(["math"], ExecutionSettings()) == {}


def test_it_makes_another_key_of_math_alone():
    assert checking(["math"], WORKED_OUT) == {"checker": "worked_out"}
    for domain in ("text", "choice", "code"):
        assert checking([domain], WORKED_OUT) == checking([domain], ExecutionSettings())
    assert checking(["math", "choice"], WORKED_OUT)[CHECKERS_KEY] == ["worked_out", "choice"]
