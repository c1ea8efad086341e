"""Pairwise accuracy of reward models that can be computed by hand, and its nulls."""

from __future__ import annotations

import pytest

from tasks.evaluate.reward_model import ModelAccuracy, model_accuracy

ARGS = (500, 0.95, 0)


def _row(n: int, *, right: bool = True, longer: bool = True, p: float = 1.0) -> dict[str, object]:
    """A pair whose first sample is preferred, on which the model is right or not."""
    return {
        "problem_id": f"p{n // 2}",
        "first": n % 2,
        "second": 2,
        "p": p,
        "first_reward": 1.0 if right else -1.0,
        "second_reward": 0.0,
        "first_tokens": 9 if longer else 5,
        "second_tokens": 7,
        "watched": False,
    }


def _key(row: dict[str, object]) -> tuple[str, int, int]:
    return row["problem_id"], row["first"], row["second"]  # type: ignore[return-value]


def _of(rows: list[dict[str, object]], **more: object) -> ModelAccuracy:
    found = model_accuracy(rows, *ARGS, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_it_is_the_share_of_pairs_beside_lengths_and_coins() -> None:
    found = _of([_row(n, right=n % 4 > 0, longer=n % 2 > 0) for n in range(400)])
    assert (found.pairs, found.accuracy.problems) == (400, 200)
    assert (found.accuracy.value, found.longer.value, found.random.value) == (0.75, 0.5, 0.5)
    assert found.accuracy.low < 0.75 < found.accuracy.high and found.beats_nulls
    # What coins reach on 400 pairs, 95%: 1/2 and 1.96 standard errors.
    assert found.random.high - 0.5 == pytest.approx(1.96 * 0.025, abs=0.01)


def test_a_model_that_goes_by_length_does_not_beat_lengths() -> None:
    rows = [_row(n, right=n % 4 > 0, longer=n % 4 > 0) for n in range(400)]
    assert _of(rows).accuracy == _of(rows).longer and not _of(rows).beats_nulls


def test_pairs_that_chose_the_weights_and_labels_of_one_half_are_left_out() -> None:
    flattering = [{**_row(n), "watched": True} for n in range(50)]
    undecided = [_row(100 + n, p=0.5) for n in range(50)]
    honest = [_row(200 + n, right=False) for n in range(10)]
    assert _of([*flattering, *undecided, *honest]).pairs == 10
    assert model_accuracy([*flattering, *undecided], *ARGS) is None


def test_equal_rewards_are_right_by_half() -> None:
    assert _of([{**_row(n), "first_reward": 0.0} for n in range(8)]).accuracy.value == 0.5


def test_several_nulls_have_an_interval_over_models_too() -> None:
    rows = [_row(n) for n in range(400)]
    wrong = [_row(n, right=False) for n in range(400)]
    one = _of(rows, shuffled=[rows]).shuffled
    assert one is not None and (one.value, one.low) == (1.0, 1.0)
    found = _of(rows, shuffled=[rows, wrong, rows, wrong]).shuffled
    assert found is not None and found.value == 0.5
    # Means of four coins: no more is known of a fifth model.
    assert found.low == pytest.approx(0.0, abs=0.3) and found.high == pytest.approx(1.0, abs=0.3)


def test_the_ceiling_is_the_oracle_and_not_of_a_judge() -> None:
    rows = [_row(n, right=n % 4 > 0) for n in range(40)]
    oracle = {_key(row): 0.0 if n < 10 else 1.0 for n, row in enumerate(rows)}
    found = _of(rows, oracle=oracle, ceiling=True)
    assert found.ceiling is not None and found.ceiling.value == 0.75
    assert _of(rows, oracle=oracle).ceiling is None
    # Right by the oracle: where both say the first, and where both do not.
    agree = sum((row["first_reward"] > 0) == (oracle[_key(row)] > 0.5) for row in rows) / 40  # type: ignore[operator]
    assert found.oracle is not None and found.oracle.value == agree
