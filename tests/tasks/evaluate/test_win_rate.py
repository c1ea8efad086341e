"""Win rates, raw and at equal length, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluate.win_rate import win_rate

ARGS = (500, 0.95, 0)


def test_the_raw_rate_is_the_mean() -> None:
    found = win_rate([1, 0, 0.5, 1], [(5, 5)] * 4, *ARGS)
    assert found.raw.value == pytest.approx(0.625)
    assert found.length_ratio == 1.0


def test_at_equal_lengths_both_rates_are_about_the_same() -> None:
    found = win_rate([1.0] * 70 + [0.0] * 30, [(9, 9)] * 100, *ARGS)
    # One pseudo-problem, won by half.
    assert found.controlled.value == pytest.approx((70 + 0.5) / 101, abs=1e-6)


def test_what_length_alone_wins_is_taken_away() -> None:
    random = np.random.default_rng(1)
    ratios = random.uniform(0.6, 2.4, 4000)
    p = 1 / (1 + np.exp(-(0.4 + 2.0 * (ratios - 1))))
    wins = (random.random(4000) < p).astype(float)
    lengths = [(round(1000 * ratio), 1000) for ratio in ratios]
    found = win_rate(wins.tolist(), lengths, *ARGS)
    assert found.raw.value > 0.7
    true = 1 / (1 + np.exp(-0.4))
    assert found.controlled.low < true < found.controlled.high
    assert found.controlled.high - found.controlled.low < 0.08


@pytest.mark.parametrize("always", [0.0, 1.0])
def test_a_side_that_always_wins_has_a_rate(always: float) -> None:
    lengths = [(n, 20) for n in range(10, 50)]
    found = win_rate([always] * 40, lengths, *ARGS)
    assert found.raw.value == always
    assert 0 < found.controlled.value < 1
    assert (found.controlled.value > 0.5) == bool(always)


def test_the_interval_covers_a_known_rate_about_as_often_as_it_says() -> None:
    random, held = np.random.default_rng(2), 0
    for _ in range(200):
        ratios = random.uniform(0.7, 1.5, 150)
        p = 1 / (1 + np.exp(-(0.3 - 1.0 * (ratios - 1))))
        wins = (random.random(150) < p).astype(float).tolist()
        lengths = [(round(1000 * ratio), 1000) for ratio in ratios]
        found = win_rate(wins, lengths, 200, 0.95, 0).controlled
        held += found.low <= 1 / (1 + np.exp(-0.3)) <= found.high
    assert 0.90 <= held / 200 <= 0.99
