"""Which check gives the policy: the rules, by numbers that were computed by hand."""

from __future__ import annotations

import math
import random

import pytest

from tasks.finetune.choose import kept, may_be_kept, paired_standard_error, standard_error
from tasks.finetune.results import HistoryEntry


def solved(step: int, marks: str) -> HistoryEntry:
    """A check whose problems were solved (1) or not (0), in their order."""
    rewards = [float(mark) for mark in marks]
    return HistoryEntry(step, reward=sum(rewards) / len(rewards), rewards=rewards)


# d = (1, 0, 0, 0): mean 1/4, sum of squares about it 3/4, variance 3/4 / 3 = 1/4, over 4: 1/16.
# d = (1, 1, -1, 0, 0, 0, 0, 0): mean 1/8, squares 3 - 8/64 = 23/8, variance 23/56, over 8: 23/448.
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1100", "0100", 0.25),
        ("11011010", "00111010", math.sqrt(23 / 448)),
        ("1010", "0101", math.sqrt(4 / 3 / 4)),  # d = (1, -1, 1, -1): variance 4/3
        ("1111", "0000", 0.0),  # each by the same
        ("0110", "0110", 0.0),
        ("1", "0", 0.0),  # of one problem nothing is known
    ],
)
def test_the_paired_standard_error(first: str, second: str, expected: float) -> None:
    one, other = [float(m) for m in first], [float(m) for m in second]
    assert paired_standard_error(one, other) == pytest.approx(expected, abs=1e-15)


# 3 of 4: variance 3 * (1/4)^2 + (3/4)^2 = 3/4, over 3: 1/4, over 4: 1/16.
@pytest.mark.parametrize(("marks", "expected"), [("1110", 0.25), ("1111", 0.0), ("1", 0.0)])
def test_the_standard_error_of_one_check(marks: str, expected: float) -> None:
    assert standard_error([float(m) for m in marks]) == pytest.approx(expected)


# Ten problems. Against 1111111100 (0.8): 1111111000 loses one (gap 0.1, error 0.1: within);
# 1111110000 loses two (gap 0.2, error sqrt((2 - 10 * 0.04) / 9 / 10) = 0.1333: not within);
# 0011111111 loses two and wins two (gap 0: within); 1111100011 loses three and wins two
# (gap 0.1, error sqrt((5 - 10 * 0.01) / 9 / 10) = 0.2333: within).
@pytest.mark.parametrize(
    ("checks", "step"),
    [
        (["1111111000", "1111111100"], 1),
        (["1111110000", "1111111100"], 2),
        (["0011111111", "1111111100"], 1),
        (["1111110000", "1111111000", "1111111100"], 2),
        (["1111100011", "1111110000", "1111111100", "1111111100"], 1),
        (["1111111100", "0000000000"], 1),
        (["1111111111", "1111111110"], 1),
    ],
)
def test_one_se_keeps_the_earliest_within_one_standard_error(checks: list[str], step: int) -> None:
    history = [solved(at, marks) for at, marks in enumerate(checks, 1)]
    found = kept(history, "one_se")
    assert found and found.step == step


def test_losses_between_the_checks_are_no_checks() -> None:
    history = [HistoryEntry(1, loss=0.5), solved(1, "10"), HistoryEntry(2, loss=0.1)]
    found = kept(history, "last")
    assert found and found.reward == 0.5


@pytest.mark.parametrize(("rule", "step"), [("best", 2), ("one_se", 1), ("last", 4)])
def test_each_rule_keeps_another_of_the_same_checks(rule: str, step: int) -> None:
    marks = ["1111111000", "1111111100", "1111111100", "1111111000"]
    history = [solved(at, one) for at, one in enumerate(marks, 1)]
    found = kept(history, rule)
    assert found and found.step == step


def test_nothing_is_kept_of_no_checks() -> None:
    assert kept([HistoryEntry(1, loss=0.5)], "one_se") is None


def test_a_check_that_may_come_back_is_held() -> None:
    # Excluded by the second (gap 0.2, error 0.1333), but 0.2 is less than 1 / sqrt(10).
    history = [solved(1, "1111110000"), solved(2, "1111111100")]
    assert kept(history, "one_se") == history[1]
    assert may_be_kept(history, "one_se") == {1, 2}


def test_a_check_that_cannot_come_back_is_not_held() -> None:
    # No standard error of ten differences in [-1, 1] with mean above 1 / sqrt(10) reaches it.
    history = [solved(1, "1111000000"), solved(2, "1111111100")]
    assert may_be_kept(history, "one_se") == {2}


@pytest.mark.parametrize("count", [2, 5, 9])
def test_whatever_comes_later_the_kept_check_was_held_all_the_time(count: int) -> None:
    for seed in range(300):
        draw = random.Random(seed)
        history: list[HistoryEntry] = []
        held: set[int] = set()
        for step in range(1, 7):
            marks = "".join(draw.choice("01") for _ in range(count))
            history.append(solved(step, marks))
            held = (held | {step}) & may_be_kept(history, "one_se")
            found = kept(history, "one_se")
            assert found and found.step in held, (seed, step)
