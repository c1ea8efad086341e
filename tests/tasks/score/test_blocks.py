"""A long series of pairs: workers decide a share, and nobody can tell which."""

import pytest

from tasks.errors import StepError
from tasks.score.math.blocks import ALONE
from tasks.score.math.decide import decide
from tasks.score.math.pool import GradePool

LONG = "\ud800 no answer " * 100_000
PAIRS = [
    (str(number), (f"so \\boxed{{{number + number % 3}}}", f"it is {number}.", "?")[number % 3])
    for number in range(ALONE + 3000)
]
PAIRS[ALONE + 100] = ("1", LONG + "\\boxed{1}")
PAIRS[ALONE + 200] = (r"\sin 2x", r"2\sin x\cos x")


@pytest.mark.parametrize(
    "workers",
    [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)],
)
def test_each_pair_has_its_own_grade_whoever_decides(workers):
    with GradePool(workers, time_limit=10.0) as pool:
        grades = [grade for grade, _ in pool.grade(iter(PAIRS))]
    assert len(grades) == len(PAIRS)
    for pair, grade in zip(PAIRS, grades, strict=True):
        expected = decide(*pair)
        assert grade.reward == 1.0 if expected is None else grade == expected


def test_a_short_series_starts_no_worker():
    with GradePool(4, time_limit=10.0) as pool:
        assert len(list(pool.grade(PAIRS[:ALONE]))) == ALONE
        assert pool.pids() == []


def test_a_pool_that_is_closed_in_the_middle_says_so():
    with GradePool(2, time_limit=10.0) as pool:
        grades = pool.grade(iter(PAIRS))
        for _ in range(ALONE + 1):
            next(grades)
        pool.close()
        with pytest.raises(StepError):
            list(grades)
