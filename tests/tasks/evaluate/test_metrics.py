"""Metrics and intervals: against exhaustive enumeration, simulation, and hand-made votes."""

from __future__ import annotations

import itertools
import json
import random

import numpy as np
import pytest

from tasks.errors import UserError
from tasks.evaluate.intervals import (
    Interval,
    interval,
    paired_difference,
    square_and_add,
    unpaired_difference,
)
from tasks.evaluate.metrics import (
    majority_correct,
    measure,
    paired_gain,
    paired_pass_gain,
    pass_at_k,
)
from tasks.evaluate.results import Change
from tasks.evaluate.solved_and_lost import changed, solved_and_lost
from tasks.settings import EvaluationSettings


def row(problem: str, index: int = 0, *, right: bool, answer: str = "7", **more) -> dict:
    plain = {
        "problem_id": problem,
        "index": index,
        "reward": float(right),
        "status": "correct" if right else "wrong_answer",
        "extracted": answer,
        "tokens": 10,
        "finish": "stop",
    }
    return {**plain, **more}


def problem(key: str, level: str = "1") -> dict:
    about = {"question": f"Q {key}", "reference": "7", "subject": "half " + "ab"[int(level) % 2]}
    return {"id": key, "level": level, **about}


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_all_subsets(n: int) -> None:
    for c, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations([1] * c + [0] * (n - c), k))
        share = sum(any(subset) for subset in subsets) / len(subsets)
        assert pass_at_k(n, c, k) == pytest.approx(share, abs=1e-12)


def test_pass_at_k_stays_exact_where_floats_overflow() -> None:
    assert pass_at_k(4096, 0, 2048) == 0.0
    assert pass_at_k(4096, 1, 2048) == 0.5
    assert pass_at_k(4096, 2049, 2048) == 1.0


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 5), (4, 5, 1), (4, -1, 1), (4, 1, 0)])
def test_pass_at_k_refuses_the_impossible(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@k needs"):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(
    ("groups", "right", "m", "expected"),
    [
        ([0, 1, 1], 0, 3, False),  # the majority is wrong
        ([0, 1, 1], 0, 2, True),  # only the first m vote; a tie goes to the first
        ([0, 1, 1, 0], 1, 4, False),  # a tie goes to the first
        ([-1, -1, -1, 3], 3, 4, True),  # no answer is no vote
        ([-1, -1, -1], -1, 3, False),  # nobody votes
        ([0], 0, 9, True),  # fewer samples than voters
    ],
)
def test_majority(groups: list[int], right: int, m: int, expected: bool) -> None:
    correct = [group >= 0 and group == right for group in groups]
    assert majority_correct(groups, correct, m) is expected


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_interval_covers_at_its_nominal_rate(rate: float) -> None:
    generator = np.random.default_rng(11)
    draws = (generator.random((500, 150)) < rate).astype(float)
    found = [interval(d, 400, 0.9, seed) for seed, d in enumerate(draws)]
    covered = np.mean([i.low <= rate <= i.high for i in found])
    # Standard error of the simulation: 1.3 points.
    assert 0.86 <= covered <= 0.94


def test_paired_interval_covers_and_is_narrower_than_the_unpaired() -> None:
    generator = np.random.default_rng(5)
    covered, widths = [], []
    for seed in range(300):
        skill = generator.random(120)
        before = (skill > 0.6).astype(float)
        after = (skill + 0.1 * generator.standard_normal(120) > 0.5).astype(float)
        truth = 0.1
        pair = paired_difference(before, after, 300, 0.9, seed)
        alone = unpaired_difference(after, before, 300, 0.9, seed)
        covered.append(pair.low <= truth <= pair.high)
        widths.append((pair.high - pair.low, alone.high - alone.low))
    assert 0.84 <= np.mean(covered) <= 0.96
    assert np.mean([w[0] for w in widths]) < 0.7 * np.mean([w[1] for w in widths])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_problem_is_no_certainty(value: float) -> None:
    found = interval([value], 100, 0.95, 1)
    assert (found.value, found.problems) == (value, 1)
    assert found.high - found.low == pytest.approx(0.975)
    assert 0.0 <= found.low <= found.high <= 1.0


def test_no_change_at_all_still_has_a_width() -> None:
    same = [1.0, 0.0, 1.0]
    found = paired_difference(same, same, 100, 0.95, 1)
    assert found.low < 0.0 < found.high and found.low == -found.high


def test_interval_refuses_nothing_and_unequal_pairs() -> None:
    with pytest.raises(ValueError, match="at least one problem"):
        interval([], 100, 0.95, 1)
    with pytest.raises(ValueError, match="differ in number: 2 and 1"):
        paired_difference([0.0, 1.0], [1.0], 100, 0.95, 1)


def test_square_and_add_is_the_textbook_one() -> None:
    low, high = square_and_add(Interval(0.7, 0.6, 0.78, 50), Interval(0.5, 0.4, 0.6, 50))
    assert low == pytest.approx(0.2 - np.hypot(0.1, 0.1))
    assert high == pytest.approx(0.2 + np.hypot(0.08, 0.1))


def rows_of_a_policy() -> tuple[list[dict], list[dict], list[dict], list[dict]]:
    rng = random.Random(3)
    problems = [problem(f"p{i:03d}", str(1 + i % 3)) for i in range(40)]
    greedy = [row(p["id"], right=rng.random() < 0.4) for p in problems]
    train = [row(f"t{i}", right=rng.random() < 0.8) for i in range(30)]
    sampled = [
        row(p["id"], i, right=rng.random() < 0.4, answer=rng.choice(["7", "8", ""]))
        for p in problems
        for i in range(8)
    ]
    return greedy, sampled, train, problems


SETTINGS = EvaluationSettings(pass_k=[1, 8], samples=8, majority=[8], bootstrap=200)


def groups_of(sampled: list[dict]) -> dict[tuple[str, int], int]:
    """As the group step makes them, for answers that are equal as texts."""
    first: dict[tuple[str, str], int] = {}
    return {
        (r["problem_id"], r["index"]): first.setdefault(
            (r["problem_id"], r["extracted"]), r["index"]
        )
        if r["extracted"]
        else -1
        for r in sorted(sampled, key=lambda r: (r["problem_id"], r["index"]))
    }


def test_measure_does_not_depend_on_the_order_of_rows_and_is_plain_json() -> None:
    greedy, sampled, train, problems = rows_of_a_policy()
    groups = groups_of(sampled)
    first = measure(
        greedy, sampled, train, problems, SETTINGS, 9, validation_rows=train, groups=groups
    )
    lists = [list(rows) for rows in (greedy, sampled, train, problems)]
    for rows in lists:
        random.Random(1).shuffle(rows)
    again = measure(*map(iter, lists), SETTINGS, 9, validation_rows=iter(lists[2]), groups=groups)
    assert first == again and json.dumps(first.to_json(), allow_nan=False)
    assert set(first.metrics) == {
        "greedy",
        "train",
        "validation",
        "gap",
        "pass@1",
        "pass@8",
        "maj@8",
    }


def test_without_groups_there_is_no_vote() -> None:
    greedy, sampled, train, problems = rows_of_a_policy()
    found = measure(greedy, sampled, train, problems, SETTINGS, 9).metrics
    assert "pass@8" in found and "maj@8" not in found


def test_measure_values_are_the_plain_averages() -> None:
    greedy, sampled, train, problems = rows_of_a_policy()
    found = measure(greedy, sampled, train, problems, SETTINGS, 9)
    values = {name: metric.value for name, metric in found.metrics.items()}
    assert values["greedy"] == pytest.approx(np.mean([r["reward"] for r in greedy]))
    assert values["pass@1"] == pytest.approx(np.mean([r["reward"] for r in sampled]))
    assert values["gap"] == pytest.approx(values["train"] - values["greedy"])
    solved = {r["problem_id"] for r in sampled if r["reward"]}
    assert values["pass@8"] == pytest.approx(len(solved) / 40)
    assert {k: v.problems for k, v in found.levels.items()} == {"1": 14, "2": 13, "3": 13}
    subjects = {k: v.problems for k, v in found.subjects.items()}
    assert subjects == {"half a": 13, "half b": 27}
    assert found.mean_tokens == 10 and sum(found.statuses.values()) == 40


def test_measure_of_nothing_leaves_metrics_out() -> None:
    settings = EvaluationSettings(samples=0)
    found = measure([], [], [], [], settings, 1)
    assert found.metrics == {} and found.mean_tokens is None


def test_cut_solutions_and_checker_errors_are_counted() -> None:
    greedy = [
        row("a", right=False, status="checker_error"),
        row("b", right=False, status="no_answer", finish="length", extracted=None),
    ]
    found = measure(greedy, [], [], [], EvaluationSettings(samples=0), 1)
    assert found.truncated == 0.5
    assert found.statuses == {"checker_error": 1, "no_answer": 1}


@pytest.mark.parametrize("field", ["pass_k", "majority"])
def test_too_large_a_k_names_the_field(field: str) -> None:
    settings = EvaluationSettings(**{"samples": 8, "pass_k": [1], "majority": [4], field: [5]})
    rows = [row("a", i, right=True) for i in range(4)]
    with pytest.raises(UserError, match=rf"{field}: 5 needs .* one has 4"):
        measure([], rows, [], [], settings, 1)


def test_a_sample_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="sample 0 of a comes twice"):
        measure([row("a", right=True)] * 2, [], [], [], SETTINGS, 1)


def test_solved_and_lost_follow_the_problems_order_and_limit() -> None:
    problems = [problem(key) for key in ("d", "b", "c", "a")]
    base = [row(k, right=k in "ab", text=f"base {k}") for k in "abcd"]
    now = [row(k, right=k in "cd", text=f"now {k}") for k in "abcd"]
    solved, lost = solved_and_lost(base, now, problems, limit=1)
    assert [s.id for s in solved] == ["d"]
    assert lost == [Change("b", "Q b", "7", "base b", "now b")]
    everything = changed(base, now, [p["id"] for p in problems])
    assert everything.solved == ["d", "c"] and everything.lost == ["b", "a"]


def test_paired_gain_uses_only_problems_that_both_tried() -> None:
    base = [row(k, right=False) for k in "abc"]
    now = [row(k, right=True) for k in "bcd"]
    gain = paired_gain(base, now, SETTINGS, 1)
    assert gain is not None and (gain.value, gain.problems) == (1.0, 2)
    assert paired_gain(base, [], SETTINGS, 1) is None


def test_a_paired_gain_in_pass_at_k_is_at_the_largest_k() -> None:
    k = max(SETTINGS.pass_k)
    base = [row(key, index=i, right=False) for key in "abc" for i in range(k)]
    now = [row(key, index=i, right=not i) for key in "bcd" for i in range(k)]
    gain = paired_pass_gain(base, now, SETTINGS, 1)
    assert k > 1 and gain is not None and (gain.value, gain.problems) == (1.0, 2)
    assert paired_pass_gain(base, [], SETTINGS, 1) is None
    assert paired_pass_gain(base, now, SETTINGS.model_copy(update={"pass_k": []}), 1) is None
