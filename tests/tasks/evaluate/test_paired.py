"""Two policies compared: McNemar's test, differences, difficulty bins, Holm's correction."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tasks.evaluate.paired import differences, difficulty_bins, holm, mcnemar


def scores(values: str) -> dict[str, float]:
    return {f"p{place}": float(value) for place, value in enumerate(values)}


@pytest.mark.parametrize("changed", range(8))
def test_mcnemar_is_the_share_of_coin_tosses_at_least_as_uneven(changed: int) -> None:
    tosses = list(itertools.product((0, 1), repeat=changed))
    for solved in range(changed + 1):
        lost = changed - solved
        before = scores("0" * solved + "1" * lost + "0110")
        after = scores("1" * solved + "0" * lost + "0110")
        found = mcnemar(before, after)
        uneven = abs(2 * solved - changed)
        share = np.mean([abs(2 * sum(toss) - changed) >= uneven for toss in tosses])
        assert (found.solved, found.lost) == (solved, lost)
        assert found.p == pytest.approx(share)


@pytest.mark.slow
def test_mcnemar_of_thousands_of_changes_is_a_number() -> None:
    before = {str(i): float(i % 2) for i in range(6000)}
    assert mcnemar(before, {k: 1 - v for k, v in before.items()}).p == 1.0
    assert mcnemar(dict.fromkeys(before, 0.0), dict.fromkeys(before, 1.0)).p < 1e-300
    mild = {k: 1 - v if int(k) < 5880 or v == 0 else v for k, v in before.items()}
    found = mcnemar(before, mild)
    assert (found.solved, found.lost) == (3000, 2940) and 0.42 < found.p < 0.45


def test_problems_that_one_policy_did_not_try_count_for_neither() -> None:
    found = mcnemar({"a": 0.0, "b": 1.0}, {"b": 0.0, "c": 1.0})
    assert (found.solved, found.lost) == (0, 1)
    both = differences({"greedy": {"a": 0.0, "b": 1.0}}, {"greedy": {"b": 0.0}}, 100, 0.95, 1)
    assert (both["greedy"].value, both["greedy"].problems) == (-1.0, 1)


def test_differences_are_of_metrics_that_both_have() -> None:
    found = differences(
        {"greedy": scores("0011"), "pass@4": scores("0111")},
        {"greedy": scores("0111"), "maj@4": scores("1111")},
        200,
        0.95,
        1,
    )
    assert set(found) == {"greedy"} and found["greedy"].value == 0.25


def test_bins_are_cut_where_the_paper_cuts_them() -> None:
    success = dict(zip("abcdefg", (1.0, 0.75, 0.74, 0.5, 0.25, 0.24, 0.0), strict=True))
    before = dict.fromkeys(success, 0.0)
    after = before | {"f": 1.0}
    found = difficulty_bins(success, before, after, 100, 0.95, 1)
    assert [(one.bin, one.problems) for one in found] == [
        ("75% or more", 2),
        ("50% to 75%", 2),
        ("25% to 50%", 1),
        ("less than 25%", 2),
    ]
    assert [one.after - one.before for one in found] == [0, 0, 0, 0.5]


def test_bins_show_no_gain_where_there_is_none() -> None:
    """The same policy drawn twice: bins made of the first greedy draw itself would show one."""
    generator = np.random.default_rng(4)
    skill = generator.beta(0.8, 0.8, 4000)
    draws = [(generator.random(4000) < skill).astype(float) for _ in range(2)]
    before, after = ({str(i): v for i, v in enumerate(draw)} for draw in draws)
    samples = (generator.random((8, 4000)) < skill).mean(axis=0)
    success = {str(i): float(v) for i, v in enumerate(samples)}
    for one in difficulty_bins(success, before, after, 200, 0.999, 1):
        assert one.difference.low <= 0 <= one.difference.high
    naive = difficulty_bins(before, before, after, 200, 0.999, 1)
    assert naive[0].difference.high < 0 < naive[-1].difference.low


def test_holm_steps_down() -> None:
    # By hand: 0.01 * 4, then 0.013 * 3 raised to the one before, 0.04 * 2, 0.2.
    assert holm([0.013, 0.2, 0.01, 0.04]) == pytest.approx([0.04, 0.2, 0.04, 0.08])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == []


def test_holm_keeps_the_rate_of_false_alarms() -> None:
    generator = np.random.default_rng(2)
    p_values = generator.random((2000, 5))
    alarms = np.mean([min(holm(list(row))) < 0.05 for row in p_values])
    assert alarms <= 0.05 + 3 * 0.005
