"""Rates over clusters: known exact bounds, weights, and what a bootstrap alone would get wrong."""

import numpy as np
import pytest

from tasks.evaluate.weighted_rates import FEW, Rate, exact_bound, rate_interval

SHARE = Rate(lambda sums: sums[..., 1], lambda sums: sums[..., 0] + sums[..., 1])
HOW = {"resamples": 1000, "confidence": 0.95, "seed": 3}


def made(rows):
    found = rate_interval(np.array(rows, dtype=float), SHARE, **HOW)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "events, problems, bound",
    [
        # Clopper-Pearson upper limits at 95%, as tabled; for one of ten 0.4450.
        (0, 10, 0.3085),
        (1, 10, 0.4450),
        (9, 10, 0.9975),
        (10, 10, 1.0),
        (0, 1, 0.975),
        (3, 100, 0.0852),
    ],
)
def test_exact_bounds_are_those_of_clopper_and_pearson(events, problems, bound):
    assert exact_bound(problems, 0.95, events) == pytest.approx(bound, abs=5e-5)


def test_the_rule_of_three_is_the_one_sided_bound():
    assert exact_bound(300, 0.90) == pytest.approx(3 / 300, rel=0.01)


def test_no_event_is_not_certainty():
    found = made([[5, 0]] * 40)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(exact_bound(40, 0.95))
    turned = made([[0, 5]] * 40)
    assert (turned.value, turned.high) == (1.0, 1.0)
    assert turned.low == pytest.approx(1 - exact_bound(40, 0.95))


def test_one_event_leaves_no_less_possible_than_none():
    none, one = made([[5, 0]] * 40), made([[5, 0]] * 39 + [[4, 1]])
    assert one.high >= none.high and one.value > 0


def test_weights_count():
    # An error of weight 90 beside agreement of weight 10: 90%, however few the pairs.
    assert made([[10, 0], [0, 90]] * 30).value == pytest.approx(0.9)


def test_samples_of_one_problem_are_not_taken_for_independent():
    clustered = made([[8, 0]] * 80 + [[0, 8]] * 20)
    apart = made([[1, 0]] * 640 + [[0, 1]] * 160)
    assert clustered.value == apart.value == 0.2
    assert clustered.high - clustered.low > 2 * (apart.high - apart.low)


def test_a_share_of_nothing_is_none():
    assert rate_interval(np.zeros((3, 2)), SHARE, **HOW) is None
    assert rate_interval(np.zeros((0, 2)), SHARE, **HOW) is None


def test_problems_outside_the_whole_do_not_count():
    assert made([[0, 0]] * 50 + [[1, 0]] * 10).problems == 10


@pytest.mark.parametrize("share, size", [(0.01, 1), (0.03, 6)])
def test_the_upper_end_covers_rare_errors(share, size):
    """Beta-binomial clusters, the true rate known: what the docstring promises is measured."""
    generator = np.random.default_rng(5)
    covered, rounds, problems = 0, 200, 200
    shape = share * 2.0, (1 - share) * 2.0
    for seed in range(rounds):
        counts = generator.integers(1, size + 1, problems)
        errors = generator.binomial(counts, generator.beta(*shape, problems))
        columns = np.stack([counts - errors, errors], axis=1).astype(float)
        found = rate_interval(columns, SHARE, 300, 0.95, seed)
        covered += found is not None and share <= found.high
    assert covered / rounds >= 0.93


def test_few_is_more_than_what_a_bootstrap_can_carry():
    """With one event, percentile intervals alone would end below the exact bound."""
    rows = np.array([[1.0, 0.0]] * 199 + [[0.0, 1.0]])
    draws = np.random.default_rng(0).multinomial(200, np.full(200, 1 / 200), 2000) @ rows
    alone = np.quantile(draws[:, 1] / draws.sum(axis=1), 0.975)
    assert FEW > 1 and made(rows).high > 1.5 * alone
