"""Selection for the methods beside ReST^EM: thresholds, the best only, human solutions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tasks.select.test_select import LONG, problem, run, sample, shard

# Each problem's samples as (reward, text); few texts, so that some come twice.
samples = st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.8, 1.0]), st.sampled_from("abcd"))
problems = st.lists(st.lists(samples, min_size=1, max_size=8), min_size=1, max_size=5)
often = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def made(folder: Path, drawn: list[list[tuple[float, str]]]):
    """A shard of these samples, and their problems; every second one has a human solution."""
    rows = [
        sample(f"p{name}", index, text, reward)
        for name, found in enumerate(drawn)
        for index, (reward, text) in enumerate(found)
    ]
    known = [problem(f"p{name}") for name in range(len(drawn))]
    for one in known[::2]:
        one["solution"] = f"by hand: {one['id']}"
    return [shard(folder, rows)], known


def places(rows) -> set[tuple[str, int]]:
    return {(row["problem_id"], row["index"]) for row in rows}


def adds_up(counts) -> None:
    dropped = [getattr(counts, one.name) for one in fields(counts) if "dropped" in one.name]
    assert sum(dropped) + counts.kept == counts.samples


@often
@given(problems)
def test_a_higher_threshold_keeps_fewer_and_all_that_reach_it(tmp_path: Path, drawn) -> None:
    shards, known = made(tmp_path, drawn)
    before: set[tuple[str, int]] | None = None
    for threshold in (0.25, 0.5, 0.8, 1.0):
        rows, counts = run(shards, known, min_reward=threshold)
        kept = places(rows)
        assert kept == {
            (f"p{name}", index)
            for name, found in enumerate(drawn)
            for index, (reward, _) in enumerate(found)
            if reward >= threshold
        }
        assert before is None or kept <= before
        assert counts.correct == len(kept)
        adds_up(counts)
        before = kept


@often
@given(problems, st.sampled_from(["none", "exact"]))
def test_best_keeps_of_each_problem_the_samples_with_its_highest_reward(
    tmp_path: Path, drawn, dedup: str
) -> None:
    shards, known = made(tmp_path, drawn)
    passed, _ = run(shards, known, min_reward=0.5, dedup=dedup)
    rows, counts = run(shards, known, min_reward=0.5, dedup=dedup, select="best")
    reward = {
        (f"p{name}", index): value
        for name, found in enumerate(drawn)
        for index, (value, _) in enumerate(found)
    }
    highest: dict[str, float] = defaultdict(float)
    for place in places(passed):
        highest[place[0]] = max(highest[place[0]], reward[place])
    assert places(rows) == {one for one in places(passed) if reward[one] == highest[one[0]]}
    assert {name for name, _ in places(rows)} == {name for name, _ in places(passed)}
    adds_up(counts)


@often
@given(problems)
def test_of_rewards_of_0_and_1_best_is_all_that_is_right(tmp_path: Path, drawn) -> None:
    whole = [[(float(reward == 1.0), text) for reward, text in found] for found in drawn]
    shards, known = made(tmp_path, whole)
    rows = run(shards, known, dedup="exact", cap=3, select="best")[0]
    assert rows == run(shards, known, dedup="exact", cap=3)[0]


@often
@given(problems)
def test_human_gives_a_solved_problem_its_own_solution_once(tmp_path: Path, drawn) -> None:
    shards, known = made(tmp_path, drawn)
    rows, counts = run(shards, known, select="human", cap=4)
    solved = [name for name, found in enumerate(drawn) if any(reward == 1.0 for reward, _ in found)]
    assert [(row["problem_id"], row["completion"]) for row in rows] == [
        (f"p{name}", f"by hand: p{name}") for name in solved if name % 2 == 0
    ]
    # No sample stands behind such a row.
    assert all((row["index"], row["samples"], row["weight"]) == (-1, "", 1.0) for row in rows)
    assert (counts.kept, counts.problems_solved) == (len(rows), len(solved))
    adds_up(counts)


@pytest.mark.parametrize("select", ["best", "human"])
def test_a_problem_that_overlaps_the_test_set_gives_no_row_either_way(
    tmp_path: Path, select: str
) -> None:
    known = [problem("same", LONG), problem("own"), problem("t", LONG, split="test")]
    for one in known:
        one["solution"] = "by hand"
    shards = [shard(tmp_path, [sample("same", 0), sample("own", 0)])]
    rows, counts = run(shards, known, select=select, decontaminate_ngram=13)
    assert ([row["problem_id"] for row in rows], counts.dropped_contaminated) == (["own"], 1)


@often
@given(problems, st.integers(1, 8))
def test_the_first_samples_give_what_a_smaller_draw_would(
    tmp_path: Path, drawn: list[list[tuple[float, str]]], first: int
) -> None:
    (tmp_path / "all").mkdir(exist_ok=True)
    (tmp_path / "few").mkdir(exist_ok=True)
    rows, counts = run(*made(tmp_path / "all", drawn), first=first)
    alone, fewer = run(*made(tmp_path / "few", [found[:first] for found in drawn]))
    assert [{**row, "samples": ""} for row in rows] == [{**row, "samples": ""} for row in alone]
    assert counts == fewer
