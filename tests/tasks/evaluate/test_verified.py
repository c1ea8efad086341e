"""Best of k and weighted votes, by hand and against the plain vote."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.metrics import majority_correct
from tasks.evaluate.verified import best_correct, verify, weighted_correct


def test_the_highest_reward_wins_and_the_first_of_equals():
    assert best_correct([0.1, 0.9, 0.9], [False, True, False])
    assert not best_correct([0.9, 0.1], [False, True])


def test_one_sure_sample_outvotes_two_doubtful_ones():
    groups, right = [0, 0, 2], [False, False, True]
    assert weighted_correct(groups, [0.2, 0.2, 0.9], right)
    assert not weighted_correct(groups, [0.5, 0.5, 0.9], right)
    assert not weighted_correct([-1, -1], [1.0, 1.0], [False, False])


@given(st.lists(st.sampled_from([-1, 0, 1, 2]), min_size=1, max_size=9), st.data())
def test_with_equal_rewards_a_weighted_vote_is_the_plain_one(said, data):
    firsts = {}
    groups = [firsts.setdefault(one, place) if one >= 0 else -1 for place, one in enumerate(said)]
    right_group = data.draw(st.sampled_from([-2, *set(groups)]))
    correct = [group == right_group and group >= 0 for group in groups]
    assert weighted_correct(groups, [0.5] * len(groups), correct) == majority_correct(
        groups, correct, len(groups)
    )


def test_figures_and_differences_of_a_small_set():
    rows, rewards, groups = [], {}, {}
    # Of both problems the last of three is right; the verifier sees it in the first alone.
    for name, given_rewards in (("a", [0.1, 0.2, 0.9]), ("b", [0.9, 0.8, 0.1])):
        for index in range(3):
            rows.append({"problem_id": name, "index": index, "reward": float(index == 2)})
            rewards[name, index] = given_rewards[index]
            groups[name, index] = 2 if index == 2 else 0
    found = verify(rows, rewards, groups, [1, 3], 200, 0.95, 0)
    values = {name: one.value for name, one in found.metrics.items()}
    assert values == {
        "best@1": 0.0,
        "wvote@1": 0.0,
        "maj@1": 0.0,
        "best@3": 0.5,
        "wvote@3": 0.5,
        "maj@3": 0.0,
    }
    assert found.over_majority["best@3"].value == 0.5
    assert set(verify(rows, rewards, None, [3], 200, 0.95, 0).metrics) == {"best@3"}
