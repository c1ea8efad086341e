"""Intervals over seeds: quantiles as tabulated, and as much coverage as they promise."""

from __future__ import annotations

import random

import pytest

from tasks.evaluate.over_seeds import over_seeds, t_quantile


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042)]
)
def test_quantiles_are_those_of_the_tables(freedom: int, value: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(value, abs=5e-4)


def test_intervals_cover_the_mean_as_often_as_they_promise() -> None:
    rng = random.Random(0)
    hits = 0
    for _ in range(4000):
        found = over_seeds([rng.gauss(0.3, 0.1) for _ in range(5)], 0.95)
        hits += found.low <= 0.3 <= found.high
    assert 0.94 <= hits / 4000 <= 0.96


def test_one_seed_has_no_spread_and_says_so() -> None:
    found = over_seeds([0.4], 0.95)
    assert (found.low, found.high, found.problems) == (0.4, 0.4, 1)
