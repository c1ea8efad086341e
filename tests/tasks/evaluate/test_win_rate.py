"""Win rates, raw and at equal length, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.evaluate.win_rate import WinRate, win_rate

ARGS = (500, 0.95, 0)

results = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 60), st.integers(0, 60)),
    min_size=1,
    max_size=30,
)


def _rate(rows: list[tuple[float, int, int]]) -> WinRate:
    return win_rate([row[0] for row in rows], [row[1:] for row in rows], 200, 0.95, 0)


def test_the_raw_rate_is_the_mean() -> None:
    found = win_rate([1, 0, 0.5, 1], [(5, 5)] * 4, *ARGS)
    assert found.raw.value == pytest.approx(0.625)
    assert (found.length_ratio, found.ties) == (1.0, 1)


@given(results)
@settings(max_examples=60, deadline=None)
def test_swapped_policies_have_one_minus_the_rate(rows: list[tuple[float, int, int]]) -> None:
    one, other = _rate(rows), _rate([(1 - win, b, a) for win, a, b in rows])
    for name in ("raw", "controlled"):
        first, second = getattr(one, name), getattr(other, name)
        assert first.value == pytest.approx(1 - second.value, abs=1e-6)
        assert (first.low, first.high) == pytest.approx((1 - second.high, 1 - second.low), abs=1e-6)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=30))
def test_equal_policies_have_a_half(lengths: list[int]) -> None:
    found = _rate([(0.5, one, one) for one in lengths])
    assert found.raw.value == found.controlled.value == 0.5


@given(results)
@settings(max_examples=60, deadline=None)
def test_every_rate_is_inside_its_interval(rows: list[tuple[float, int, int]]) -> None:
    found = _rate(rows)
    for one in (found.raw, found.controlled):
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.problems == len(rows)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=50))
def test_at_equal_lengths_both_rates_are_the_same(wins: list[float]) -> None:
    found = _rate([(win, 9, 9) for win in wins])
    assert found.controlled == found.raw


@pytest.mark.parametrize("longer", [50, 70, 95, 100])
def test_where_length_alone_decides_the_controlled_rate_is_a_half(longer: int) -> None:
    rows = [(1.0, 10, 8)] * longer + [(0.0, 8, 10)] * (100 - longer)
    found = _rate(rows)
    assert found.raw.value == longer / 100
    assert found.controlled.value == pytest.approx(0.5, abs=0.002)
    # Nothing was seen of equal lengths.
    assert (found.controlled.low, found.controlled.high) == (0.0, 1.0)


def test_what_length_alone_wins_is_taken_away() -> None:
    random = np.random.default_rng(1)
    more = random.normal(30, 40, 4000).round()
    slope = np.tanh(more / np.sqrt(np.mean(more**2)))
    wins = (random.random(4000) < 1 / (1 + np.exp(-(0.4 + 2.0 * slope)))).astype(float)
    found = win_rate(wins.tolist(), [(1000 + d, 1000) for d in more], *ARGS)
    assert found.raw.value > 0.7
    true = 1 / (1 + np.exp(-0.4))
    assert found.controlled.low < true < found.controlled.high
    assert found.controlled.high - found.controlled.low < 0.08


def test_a_taste_for_long_answers_hides_no_loss() -> None:
    random = np.random.default_rng(4)
    more = random.normal(40, 30, 2000).round()
    slope = np.tanh(more / np.sqrt(np.mean(more**2)))
    wins = (random.random(2000) < 1 / (1 + np.exp(-(-0.8 + 3.0 * slope)))).astype(float)
    found = win_rate(wins.tolist(), [(500 + d, 500) for d in more], *ARGS)
    assert found.raw.low > 0.5 > found.controlled.high


@pytest.mark.parametrize("always", [0.0, 1.0])
def test_a_side_that_always_wins_does_so_at_equal_length(always: float) -> None:
    lengths = [(n, 20) for n in range(10, 50)]
    found = win_rate([always] * 40, lengths, *ARGS)
    assert found.raw.value == always
    assert abs(found.controlled.value - always) < 0.02
    assert found.controlled.low <= found.raw.low and found.raw.high <= found.controlled.high


def test_the_interval_covers_a_known_rate_about_as_often_as_it_says() -> None:
    random, held = np.random.default_rng(2), 0
    for _ in range(200):
        more = random.normal(5, 20, 150).round()
        slope = np.tanh(more / 20.6)
        p = 1 / (1 + np.exp(-(0.3 - 1.0 * slope)))
        wins = (random.random(150) < p).astype(float).tolist()
        found = win_rate(wins, [(100 + d, 100) for d in more], 200, 0.95, 0).controlled
        held += found.low <= 1 / (1 + np.exp(-0.3)) <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_no_problem_is_no_rate() -> None:
    with pytest.raises(ValueError, match="0 pairs of lengths for 0 problems"):
        win_rate([], [], *ARGS)
