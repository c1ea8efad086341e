"""Alignment of labellers whose agreement is known."""

from __future__ import annotations

import math
import random

import pytest

from tasks.compare.draw import Pair
from tasks.compare.label import preference_row
from tasks.evaluate.alignment import align

ARGS = (500, 0.95, 0)


def _rows(shown) -> list[dict[str, object]]:
    return [
        preference_row(Pair(f"p{n // 3}", n % 3, 9, ("", "")), one, ["", ""])
        for n, one in enumerate(shown)
    ]


def _reference(count: int, seed: int = 3) -> dict[tuple[str, int, int], float]:
    draw = random.Random(seed)
    return {(f"p{n // 3}", n % 3, 9): float(draw.random() < 0.5) for n in range(count)}


def test_always_the_first_place_is_half_right_and_all_position() -> None:
    rows = _rows([[1.0, 0.0]] * 600)
    found = align(rows, _reference(600), *ARGS)
    assert found.agreement.value == 0.5  # undecided on every pair
    assert found.same_place is not None and found.same_place.value == 1.0
    assert found.first_place == 1.0


def test_always_the_first_place_without_a_swap_is_chance() -> None:
    found = align(_rows([[1.0]] * 1200), _reference(1200), *ARGS)
    assert found.agreement.low < 0.5 < found.agreement.high
    assert found.same_place is None and found.first_place == 1.0


def test_a_labeller_that_is_right_three_times_of_four() -> None:
    wanted = _reference(1200)
    shown = [[p if n % 4 else 1 - p] * 2 for n, p in enumerate(wanted.values())]
    found = align(_rows(shown), wanted, *ARGS)
    assert found.agreement.value == 0.75
    assert found.agreement.low < 0.75 < found.agreement.high
    assert found.same_place is not None and found.same_place.value == 0.0
    (only,) = found.calibration
    assert (only.low, only.high, only.pairs, only.right.value) == (0.9, 1.0, 1200, 0.75)
    # Always sure by 1, right by 3/4.
    assert found.calibration_error is not None and found.calibration_error.value == 0.25


def test_calibration_says_how_often_a_sureness_is_right() -> None:
    draw, wanted, shown = random.Random(1), {}, []
    for n in range(6000):
        p = draw.uniform(0, 1)
        wanted[f"p{n // 3}", n % 3, 9] = float(draw.random() < p)
        shown.append([p, p])
    found = align(_rows(shown), wanted, *ARGS)
    assert [one.low for one in found.calibration] == [0.5, 0.6, 0.7, 0.8, 0.9]
    for one in found.calibration:
        assert one.right.value == pytest.approx(one.sure, abs=4 * math.sqrt(0.25 / one.pairs))
        assert one.right.low < one.right.value < one.right.high
    assert found.calibration_error is not None and found.calibration_error.value < 0.03


def test_undecided_references_and_missing_labels_are_left_out() -> None:
    wanted = {("p0", 0, 9): 1.0, ("p0", 1, 9): 0.5, ("p0", 2, 9): 1.0}
    rows = _rows([[0.9, 0.9], [0.9, 0.9], [None, 0.2]])
    found = align(rows, wanted, *ARGS)
    assert (found.pairs, found.agreement.value) == (1, 1.0)
    with pytest.raises(ValueError, match="no pair"):
        align(rows[1:2], wanted, *ARGS)


def test_harder_pairs_are_told_apart() -> None:
    wanted = _reference(900)
    apart = {key: 1 + n % 3 for n, key in enumerate(wanted)}
    shown = [[p if n % 3 == 2 else 0.5] * 2 for n, p in enumerate(wanted.values())]
    found = align(_rows(shown), wanted, *ARGS, differences=apart)
    assert [one.value for one in found.by_difficulty] == [0.5, 0.5, 1.0]
    assert found.differences == [1.0, 2.0, 3.0]


def test_pairs_that_are_all_as_far_apart_have_no_difficulty() -> None:
    wanted = _reference(30)
    equal = dict.fromkeys(wanted, -1.0)
    found = align(_rows([[p, p] for p in wanted.values()]), wanted, *ARGS, differences=equal)
    assert found.by_difficulty == []
