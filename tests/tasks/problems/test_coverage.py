"""Do intervals hold the truth as often as they say? By simulation, seeded.

Each simulated benchmark draws 100 problems whose success rates follow a Beta distribution, then
the samples of each problem; the truth is the mean over all problems that could have been drawn,
which is known in closed form. 95% of 1,000 intervals should hold it, with a standard error of 0.7
points; a percentile bootstrap of 100 problems falls a little short.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.evaluate.intervals import interval, paired_difference, unpaired_difference
from tasks.evaluate.metrics import pass_at_k

DATA_SETS, PROBLEMS, SAMPLES = 1000, 100, 8
RESAMPLES = 400
# Beta(a, b) of success: a policy that is middling, weak on most problems, sure or blind.
SKILLS = [(2.0, 2.0), (0.5, 2.0), (0.3, 0.3)]


def failing(a: float, b: float, k: int) -> float:
    """Mean of (1 - p)^k for p of Beta(a, b): the chance that k samples all fail."""
    return math.prod((b + i) / (a + b + i) for i in range(k))


def scored(rng: np.random.Generator, success: np.ndarray, k: int) -> np.ndarray:
    """Greedy scores (k = 0: one draw), or pass@k of SAMPLES samples, of each problem."""
    if not k:
        return (rng.random(success.shape) < success).astype(float)
    table = np.array([pass_at_k(SAMPLES, c, k) for c in range(SAMPLES + 1)])
    return table[rng.binomial(SAMPLES, success)]


def share_covered(found: list, truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in found]))


@pytest.mark.parametrize("k", [0, 1, 4], ids=["greedy", "pass@1", "pass@4"])
@pytest.mark.parametrize(("a", "b"), SKILLS)
def test_an_interval_covers_the_true_mean(a: float, b: float, k: int) -> None:
    rng = np.random.default_rng([31, k, int(10 * a)])
    sets = scored(rng, rng.beta(a, b, (DATA_SETS, PROBLEMS)), k)
    found = [interval(values, RESAMPLES, 0.95, seed) for seed, values in enumerate(sets)]
    assert 0.92 <= share_covered(found, 1.0 - failing(a, b, max(k, 1))) <= 0.98


@pytest.mark.parametrize("k", [0, 4], ids=["greedy", "pass@4"])
def test_a_paired_difference_covers_the_true_one_and_is_narrower_than_the_unpaired(k: int) -> None:
    a, b = 0.5, 1.0
    rng = np.random.default_rng([32, k])
    skill = rng.beta(a, b, (DATA_SETS, PROBLEMS))
    # After training a problem is solved where one of two tries was before.
    before, after = scored(rng, skill, k), scored(rng, 1.0 - (1.0 - skill) ** 2, k)
    tries = max(k, 1)
    truth = failing(a, b, tries) - failing(a, b, 2 * tries)
    pairs = list(zip(before, after, strict=True))
    found = [paired_difference(*pair, RESAMPLES, 0.95, seed) for seed, pair in enumerate(pairs)]
    assert 0.92 <= share_covered(found, truth) <= 0.98
    alone = [unpaired_difference(y, x, RESAMPLES, 0.95, 1) for x, y in pairs[:100]]
    widths = [np.mean([one.high - one.low for one in some]) for some in (found[:100], alone)]
    assert widths[0] < 0.85 * widths[1]


def test_an_unpaired_difference_covers_the_true_gap() -> None:
    rng = np.random.default_rng(33)
    train = scored(rng, rng.beta(2.0, 1.0, (DATA_SETS, PROBLEMS)), 0)
    test = scored(rng, rng.beta(1.0, 2.0, (DATA_SETS, 60)), 0)
    pairs = zip(train, test, strict=True)
    found = [
        unpaired_difference(*pair, RESAMPLES, 0.95, 2 * seed) for seed, pair in enumerate(pairs)
    ]
    assert 0.92 <= share_covered(found, 1 / 3) <= 0.98


@pytest.mark.parametrize("solved", [False, True], ids=["all zero", "all one"])
def test_the_bound_of_an_even_set_misses_no_more_than_it_may(solved: bool) -> None:
    """At the bound itself an even set is drawn in 2.5% of cases; below it none is a miss."""
    bound = 1.0 - 0.025 ** (1.0 / PROBLEMS)
    rng = np.random.default_rng(34)
    for share, low, high in ((0.5, 0.0, 0.0), (0.99, 0.0, 0.0), (1.01, 0.01, 0.04)):
        rate = share * bound
        values = scored(rng, rng.beta(rate, 1.0 - rate, (DATA_SETS, PROBLEMS)), 0)
        even = [1.0 - one if solved else one for one in values if not one.any()]
        truth = 1.0 - rate if solved else rate
        assert even  # the bound was used
        found = [interval(one, RESAMPLES, 0.95, seed) for seed, one in enumerate(even)]
        missed = sum(not one.low <= truth <= one.high for one in found) / DATA_SETS
        assert low <= missed <= high


@pytest.mark.parametrize("mean", [0.005, 0.01, 0.03])
def test_a_benchmark_that_is_almost_all_zero_is_covered(mean: float) -> None:
    rng = np.random.default_rng([35, int(1000 * mean)])
    sets = scored(rng, rng.beta(mean, 1.0 - mean, (DATA_SETS, PROBLEMS)), 0)
    found = [interval(values, RESAMPLES, 0.95, seed) for seed, values in enumerate(sets)]
    assert share_covered(found, mean) >= 0.92
