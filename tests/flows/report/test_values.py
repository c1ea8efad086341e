"""Numbers in words: no zero and no hundred that is none, bounds that can be, one and many."""

from __future__ import annotations

import pytest

from flows.report.tables import metric_cell
from flows.report.values import between, counted, duration, hundredths, percent, points
from tasks.evaluate.intervals import Interval


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.25, 1, "25.0"),
        (0.0, 1, "0.0"),
        (1.0, 1, "100.0"),
        (0.0004, 1, "0.04"),
        (0.00049, 0, "0.05"),
        (0.9996, 1, "99.96"),
        (1e-17, 1, "0.0"),
        (0.996, 0, "99.6"),
        (0.04, 0, "4"),
    ],
)
def test_what_is_neither_none_nor_all_does_not_look_so(
    value: float, digits: int, shown: str
) -> None:
    assert hundredths(value, digits) == shown


def test_a_difference_has_a_sign_unless_it_is_none() -> None:
    assert [points(value) for value in (0.2, -0.2, 0.0, -0.0003)] == [
        "+20.0 points",
        "−20.0 points",
        "0.0 points",
        "−0.03 points",
    ]


def test_bounds_of_a_rate_stay_in_0_to_100() -> None:
    """An interval over three seeds is Student's, which knows nothing of shares."""
    assert between(Interval(0.98, 0.91, 1.05, 3)) == "[91.0,\u00a0100.0]"
    assert between(Interval(0.01, -0.03, 0.05, 3)) == "[0.0,\u00a05.0]"
    assert between(Interval(-0.9, -1.2, -0.6, 3), False) == "[−100.0,\u00a0−60.0]"


def test_a_bound_that_is_not_zero_is_not_written_as_one() -> None:
    one = Interval(0.02, 0.0031, 0.09, 300)
    assert between(Interval(0.02, 0.0003, 0.09, 300)) == "[0.03,\u00a09.0]"
    assert metric_cell(one) == "2.0 [0.3, 9]"
    assert percent(0.0003) == "0.03%"


def test_one_and_many() -> None:
    assert [counted(number, "problem") for number in (0, 1, 1200)] == [
        "0 problems",
        "1 problem",
        "1,200 problems",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0.0 s"), (0.02, "0.02 s"), (5.0, "5.0 s"), (90, "1.5 min"), (5400, "1 h 30 min")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
