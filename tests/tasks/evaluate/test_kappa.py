"""Cohen's kappa: by hand on small tables, where it is not defined, and what its interval covers."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluate.kappa import Preference, RatedPair, agreement_of

F, T, S = Preference.FIRST, Preference.TIE, Preference.SECOND
Table = dict[tuple[Preference, Preference], int]


def rated(table: Table) -> list[RatedPair]:
    """Each pair is of a problem of its own."""
    both = [said for said, count in table.items() for _ in range(count)]
    return [RatedPair(f"p{n}", *said) for n, said in enumerate(both)]


# Agreement and kappa of each are worked out beside it.
BY_HAND: list[tuple[Table, float, float]] = [
    # po 35/50; each says `first` in 25 and 30 of 50: pe = 0.5 * 0.6 + 0.5 * 0.4 = 0.5
    ({(F, F): 20, (F, S): 5, (S, F): 10, (S, S): 15}, 0.7, 0.4),
    # po 7/10; both have 5, 2 and 3 of ten: pe = (25 + 4 + 9) / 100 = 0.38
    (
        {(F, F): 4, (F, S): 1, (T, F): 1, (T, T): 1, (S, T): 1, (S, S): 2},
        0.7,
        0.32 / 0.62,
    ),
    # They never agree; pe = 0.5 * 0.5 + 0.5 * 0.5
    ({(F, S): 4, (S, F): 4}, 0.0, -1.0),
    # One says `first` always: pe is po.
    ({(F, F): 3, (F, S): 5}, 0.375, 0.0),
    ({(F, F): 6, (T, T): 2, (S, S): 4}, 1.0, 1.0),
]


@pytest.mark.parametrize(("table", "share", "kappa"), BY_HAND)
def test_it_is_what_a_person_works_out(table: Table, share: float, kappa: float) -> None:
    found = agreement_of(rated(table), 500, 0.95, seed=1)
    assert found is not None and found.kappa is not None
    assert found.pairs == sum(table.values())
    assert found.share.value == pytest.approx(share)
    assert found.kappa.value == pytest.approx(kappa)
    assert -1 <= found.kappa.low <= found.kappa.value <= found.kappa.high <= 1


def test_it_is_not_defined_where_both_always_say_one_thing() -> None:
    found = agreement_of(rated({(F, F): 5}), 500, 0.95, seed=1)
    assert found is not None
    assert found.kappa is None
    assert found.share.value == 1.0


def test_without_a_pair_there_is_none() -> None:
    assert agreement_of([], 500, 0.95, seed=1) is None


def test_full_agreement_on_few_pairs_is_not_certain() -> None:
    few = agreement_of(rated({(F, F): 3, (S, S): 3}), 500, 0.95, seed=1)
    more = agreement_of(rated({(F, F): 60, (S, S): 60}), 500, 0.95, seed=1)
    assert few is not None and few.kappa is not None
    assert more is not None and more.kappa is not None
    # No problem of six differed: a share of 1 - 0.025^(1/6) may (Clopper and Pearson); pe = 0.5.
    assert few.kappa.low == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / 6)))
    assert few.kappa.low < 0.1 < 0.9 < more.kappa.low


def test_pairs_of_a_problem_hang_together() -> None:
    table: Table = {(F, F): 40, (F, S): 10, (S, F): 20, (S, S): 30}
    alone = rated(table)
    together = [RatedPair(f"p{n % 12}", one.one, one.other) for n, one in enumerate(alone)]
    by_pair = agreement_of(alone, 500, 0.95, seed=1)
    by_problem = agreement_of(together, 500, 0.95, seed=1)
    assert by_pair is not None and by_pair.kappa is not None
    assert by_problem is not None and by_problem.kappa is not None
    assert by_problem.kappa.value == pytest.approx(by_pair.kappa.value)
    assert (by_pair.kappa.problems, by_problem.kappa.problems) == (100, 12)


def test_the_interval_covers() -> None:
    shares = np.array([0.4, 0.05, 0.1, 0.05, 0.05, 0.0, 0.1, 0.0, 0.25])
    table = shares.reshape(3, 3)
    chance = float(table.sum(1) @ table.sum(0))
    true = (float(np.trace(table)) - chance) / (1 - chance)
    generator, covered = np.random.default_rng(0), 0
    for _ in range(200):
        said = generator.choice(9, size=60, p=shares)
        pairs = [
            RatedPair(f"p{n}", *map(Preference, divmod(int(x), 3))) for n, x in enumerate(said)
        ]
        found = agreement_of(pairs, 200, 0.95, seed=1)
        assert found is not None and found.kappa is not None
        covered += found.kappa.low <= true <= found.kappa.high
    assert 0.89 <= covered / 200 <= 0.99


@pytest.mark.parametrize(("p", "said"), [(0.0, S), (0.49, S), (0.5, T), (0.51, F), (1.0, F)])
def test_a_probability_is_a_preference(p: float, said: Preference) -> None:
    assert Preference.of(p) is said
