"""Rules that know how often a problem is solved, and how samples differ, against plain versions."""

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.solutions import bigrams, distance, equations, most_unlike
from tests.tasks.select.test_select import problem, run, sample, shard

MANY = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PROBLEMS = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.booleans(), min_size=1, max_size=9), min_size=1
)


def drawn(folder, found):
    rows = [
        sample(name, index, text=f"{name} {index}", reward=float(right))
        for name, rewards in found.items()
        for index, right in enumerate(rewards)
    ]
    return [shard(folder, rows)]


def kept(rows):
    return {
        name: [row["index"] for row in found]
        for name, found in itertools.groupby(rows, key=lambda row: row["problem_id"])
    }


@MANY
@given(PROBLEMS, st.floats(0, 1), st.floats(0, 1))
def test_only_problems_in_the_band_of_pass_rates_are_kept(tmp_path, found, one, other):
    low, high = sorted((one, other))
    problems = [problem(name) for name in sorted(found)]
    rows, counts = run(drawn(tmp_path, found), problems, min_pass_rate=low, max_pass_rate=high)
    wanted = {
        name: [index for index, right in enumerate(found[name]) if right]
        for name in sorted(found)
        if any(found[name]) and low <= sum(found[name]) / len(found[name]) <= high
    }
    assert kept(rows) == wanted
    assert counts.dropped_band == sum(map(sum, found.values())) - counts.kept


@MANY
@given(PROBLEMS, st.integers(1, 8))
def test_a_cap_by_difficulty_leaves_harder_problems_more_rows(tmp_path, found, cap):
    problems = [problem(name) for name in sorted(found)]
    rows, _ = run(drawn(tmp_path, found), problems, cap=cap, cap_by="difficulty")
    for name, rewards in found.items():
        right, tried = sum(rewards), len(rewards)
        most = max(1, math.ceil(cap * (tried - right) / tried))
        assert len(kept(rows).get(name, [])) == min(right, most)


def test_the_cap_by_difficulty_keeps_a_subset_of_what_the_plain_cap_keeps(tmp_path):
    shards = drawn(tmp_path, {"a": [n % 2 == 0 for n in range(20)]})
    plain = kept(run(shards, [problem("a")], cap=8)[0])["a"]
    fewer = kept(run(shards, [problem("a")], cap=8, cap_by="difficulty")[0])["a"]
    assert len(plain) == 8 and len(fewer) == 4 and set(fewer) < set(plain)


EQUATIONS = {
    "She has 3 * 4 = 12 apples and 12 - 5 = 7 are left.": ["3*4=12", "12-5=7"],
    "3×4 = <<3*4=12>>12, so 12 − 5=7": ["3*4=12", "12-5=7"],
    r"We get $3 \times 4 = 12$ dollars": ["3*4=12"],
    "$1,200 / 4 = $300": ["1200/4=300"],
    "(2 + 3) * 4 = 20": ["(2+3)*4=20"],
    "50% * 10 = 5": ["50%*10=5"],
    "x = 5 and the year 2012": [],
    "2**3 = 8": ["2^3=8"],
}


@pytest.mark.parametrize("text", EQUATIONS)
def test_equations_are_found_however_they_are_written(text):
    assert equations(text) == EQUATIONS[text]


def test_samples_with_the_same_equations_are_one_path(tmp_path):
    texts = ["First 2+3=5.", "Well, 2 + 3 = 5!", "Or 3+2=5.", "No sums", "No  sums", "None"]
    shards = [shard(tmp_path, [sample("a", n, text) for n, text in enumerate(texts)])]
    rows, counts = run(shards, [problem("a")], dedup="equations")
    assert [row["index"] for row in rows] == [0, 2, 3, 5]
    assert counts.dropped_duplicate == 2


@given(
    st.lists(st.frozensets(st.integers(0, 6), max_size=5), max_size=7).flatmap(
        lambda sets: st.tuples(st.just(sets), st.permutations(range(len(sets))))
    ),
    st.integers(0, 7),
)
def test_each_one_taken_is_the_furthest_from_those_before(given_sets, count):
    sets, order = given_sets
    taken = most_unlike(sets, order, count)
    assert len(taken) == min(count, len(sets)) == len(set(taken))
    assert not taken or taken[0] == order[0]
    for place in range(1, len(taken)):
        left = [one for one in order if one not in taken[:place]]
        far = [min(distance(sets[one], sets[two]) for two in taken[:place]) for one in left]
        assert taken[place] == left[far.index(max(far))]


def test_the_diverse_choice_passes_over_what_says_nearly_the_same(tmp_path):
    near = [f"we add two and three to get five, as ever, {n}" for n in range(6)]
    texts = [*near, "multiply", "count on your fingers until five"]
    shards = [shard(tmp_path, [sample("a", n, text) for n, text in enumerate(texts)])]
    rows, _ = run(shards, [problem("a")], select="diverse", cap=3)
    assert {6, 7} < {row["index"] for row in rows} and len(rows) == 3
    assert distance(bigrams(near[0]), bigrams(texts[6])) == 1.0


def test_a_pool_of_two_policies_draws_from_both_and_one_alone_as_before(tmp_path):
    first = shard(tmp_path, [sample("a", n, f"old {n}") for n in range(10)], "1")
    second = shard(tmp_path, [sample("a", n, f"new {n}") for n in range(10)], "2")
    alone = [row["completion"] for row in run([first], [problem("a")], cap=8)[0]]
    rows = run([first, second], [problem("a")], cap=8)[0]
    both = [row["completion"].split()[0] for row in rows]
    assert {"old", "new"} == set(both)
    # The two samples with one index are drawn each for itself.
    assert len({row["index"] for row in rows}) > 4
    assert {row["completion"] for row in rows if row["completion"].startswith("old")} < set(alone)
