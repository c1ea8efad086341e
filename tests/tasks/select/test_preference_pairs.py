"""Pairs of preferences and of extremes: who is chosen, how surely, and that counts add up."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tasks.compare.draw import Pair
from tasks.compare.label import preference_row
from tasks.rows import Row
from tasks.select.extremes import extreme_pairs
from tasks.select.preferences import preference_pairs
from tests.tasks.select.test_pairs import problem, run, sample, shard


def label(name: str, first: int, second: int, p: float | None) -> Row:
    return preference_row(Pair(name, first, second, ("", "")), [p], [""])


def rated(name: str, *rewards: float) -> list[Row]:
    return [sample(name, n, "rated", reward=reward) for n, reward in enumerate(rewards)]


def adds_up(counts: dict[str, int]) -> bool:
    dropped = [value for name, value in counts.items() if name.startswith("dropped_")]
    return counts["samples"] == sum(dropped) + counts["kept"]


def test_the_preferred_side_is_chosen_with_its_probability(tmp_path: Path) -> None:
    shards = [shard(tmp_path, rated("a", 0, 0, 0) + rated("b", 0, 0))]
    labels = [label("a", 0, 1, 0.25), label("a", 0, 2, 0.9), label("b", 0, 1, 0.5)]
    rows, counts = run(
        shards, [problem("a"), problem("b")], maker=partial(preference_pairs, labels)
    )
    found = [(row["problem_id"], row["index"], row["rejected_index"], row["p"]) for row in rows]
    assert found == [("a", 1, 0, 0.75), ("a", 0, 2, 0.9), ("b", 0, 1, 0.5)]
    assert (rows[0]["completion"], rows[0]["rejected"]) == ("a 1", "a 0")
    assert counts["pairs"] == 3
    assert adds_up(counts)


def test_pairs_without_a_label_and_of_test_questions_are_left_out(tmp_path: Path) -> None:
    long = "a farmer has seven fields and sows three of them with rye every single spring"
    problems = [problem("a"), problem("b", long), problem("t", long, split="test")]
    shards = [shard(tmp_path, rated("a", 0, 0, 0) + rated("b", 0, 0))]
    labels = [label("a", 0, 1, None), label("a", 1, 2, 1.0), label("b", 0, 1, 1.0)]
    rows, counts = run(shards, problems, maker=partial(preference_pairs, labels))
    assert [(row["problem_id"], row["index"]) for row in rows] == [("a", 1)]
    assert counts["dropped_contaminated"] == 2
    assert adds_up(counts)


def test_a_smaller_cap_keeps_some_of_the_pairs_of_a_larger_one(tmp_path: Path) -> None:
    shards = [shard(tmp_path, rated("a", *[0] * 6))]
    labels = [label("a", i, j, 1.0) for i in range(6) for j in range(i + 1, 6)]
    maker = partial(preference_pairs, labels)
    sizes = {}
    for cap in (2, 5, 0):
        rows, counts = run(shards, [problem("a")], maker=maker, cap=cap)
        assert adds_up(counts)
        sizes[cap] = {(row["index"], row["rejected_index"]) for row in rows}
    assert [len(sizes[cap]) for cap in (2, 5, 0)] == [2, 5, 15]
    assert sizes[2] < sizes[5] < sizes[0]


def test_shards_of_samples_in_any_cut_give_the_same_pairs(tmp_path: Path) -> None:
    samples, labels = rated("a", *[0] * 6), [label("a", 0, 5, 0.8), label("a", 2, 4, 0.3)]
    one = [shard(tmp_path, samples, "s")]
    cut = [shard(tmp_path, samples[:3], "x"), shard(tmp_path, samples[3:], "y")]
    keys = ("index", "rejected_index", "completion", "rejected", "p")
    found = []
    for shards in (one, cut):
        rows, _ = run(shards, [problem("a")], maker=partial(preference_pairs, labels))
        found.append([tuple(row[key] for key in keys) for row in rows])
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.parametrize(
    ("rewards", "settings", "expected"),
    [
        ((0.2, 0.9, 0.5), {"cap": 1}, [(1, 0)]),
        ((0.2, 0.9, 0.5), {}, [(1, 0)]),  # the middle one would meet itself
        ((0.2, 0.9, 0.5, 0.4), {}, [(1, 0), (2, 3)]),
        ((0.5, 0.5, 0.5), {}, []),
        ((0.2, 0.9), {"min_reward": 0.95}, []),
        ((0.7,), {}, []),
    ],
)
def test_the_highest_meet_the_lowest(
    tmp_path: Path,
    rewards: tuple[float, ...],
    settings: dict[str, float],
    expected: list[tuple[int, int]],
) -> None:
    shards = [shard(tmp_path, rated("a", *rewards))]
    rows, counts = run(
        shards, [problem("a")], maker=extreme_pairs, **{"min_reward": 0.01, **settings}
    )
    assert [(row["index"], row["rejected_index"]) for row in rows] == expected
    assert {row["weight"] for row in rows} <= {1.0}
    assert counts["pairs"] == len(expected)
    assert adds_up(counts)


def test_what_a_checker_failed_on_is_no_lowest_one(tmp_path: Path) -> None:
    samples = [*rated("a", 0.9, 0.4), sample("a", 2, "checker_error", reward=0.0)]
    samples.append(sample("a", 3, "rated", reward=0.1, finish="length"))
    rows, _ = run([shard(tmp_path, samples)], [problem("a")], maker=extreme_pairs, min_reward=0.01)
    assert [(row["index"], row["rejected_index"]) for row in rows] == [(0, 1)]
