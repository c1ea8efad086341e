"""Rewards without references: the vote's worth by counting, and a control of as many rows."""

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tasks.select.relabel import Judged, at_random, by_vote, count_votes

# Answers of a sample: the right one is "r", "" is none.
ANSWERS = st.lists(st.sampled_from(["r", "a", "b", ""]), min_size=1, max_size=12)


def judged(answers):
    """Samples of one problem with groups as the group step gives them."""
    firsts = {}
    return [
        Judged(
            index,
            answer == "r",
            text=f"{answer} {index}".encode(),
            group=firsts.setdefault(answer, index) if answer else -1,
        )
        for index, answer in enumerate(answers)
    ]


def counted(problems, cuts=(100,)):
    """The facts of all shards together, cut at these indices."""
    samples = {name: judged(answers) for name, answers in problems.items()}
    rewarded = {name: by_vote(found) for name, found in samples.items()}
    totals, start = None, 0
    for stop in cuts:
        here = {
            name: {one.index for one in found if start <= one.index < stop}
            for name, found in samples.items()
        }
        facts = count_votes(samples, rewarded, {name: at for name, at in here.items() if at})
        if totals is None:
            totals = facts
        else:
            totals.add(facts)
        start = stop
    return totals


def test_of_a_hundred_problems_of_which_37_have_a_right_majority_37_are_counted():
    draw = random.Random(0)
    problems, right = {}, 0
    for number in range(100):
        # Three of five say the same; of the wrong majorities' samples one is right.
        said = ["r", "r", "r", "a", "b"] if number < 37 else ["a", "a", "a", "r", "b"]
        draw.shuffle(said)
        problems[f"p{number}"] = said
        right += 5 if number < 37 else 1  # and "b", which is wrong and gets nothing
    facts = counted(problems)
    assert (facts.problems, facts.labels_right) == (100, 37)
    # A vote for a wrong answer gives three wrong samples 1, the right one 0, and "b" its 0.
    assert (facts.samples, facts.rewards_right) == (500, right)
    assert (facts.misled, facts.misled_right) == (63 * 5, 63)


@given(st.dictionaries(st.sampled_from("uvwxyz"), ANSWERS, min_size=1), st.integers(1, 12))
def test_facts_are_what_plain_counting_gives_however_shards_are_cut(problems, cut):
    facts = counted(problems, (cut, 100))
    voted = labels = agreeing = misled = misled_agreeing = 0
    for said in problems.values():
        given_answers = [answer for answer in said if answer]
        most = max(given_answers, key=given_answers.count, default=None)
        voted += most is not None
        labels += most == "r"
        for answer in said:
            agrees = (answer == most and most is not None) == (answer == "r")
            agreeing += agrees
            misled += most != "r"
            misled_agreeing += agrees and most != "r"
    assert (facts.problems, facts.labels_right) == (voted, labels)
    assert facts.samples == sum(map(len, problems.values()))
    assert (facts.rewards_right, facts.misled, facts.misled_right) == (
        agreeing,
        misled,
        misled_agreeing,
    )


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), max_size=16),
    st.integers(0, 99),
)
def test_the_random_control_has_as_many_unlike_rows_as_there_are_right_ones(found, seed):
    samples = [
        Judged(index, right, usable, bytes([text]))
        for index, (right, usable, text) in enumerate(found)
    ]
    taken = at_random(samples, "p", seed)
    assert taken <= {one.index for one in samples if one.usable}
    texts = [one.text for one in samples if one.index in taken]
    assert len(set(texts)) == len(texts)
    assert len(texts) == len({one.text for one in samples if one.usable and one.correct})
    assert taken == at_random(samples, "p", seed)


def test_the_random_control_draws_wrong_samples_as_often_as_their_share():
    samples = [Judged(n, n < 4, True, bytes([n])) for n in range(8)]
    drawn = [at_random(samples, "p", seed) for seed in range(2000)]
    wrong = sum(index >= 4 for taken in drawn for index in taken)
    # 8,000 draws at one half: five standard deviations of a hypergeometric draw are less.
    assert abs(wrong / 8000 - 0.5) < 0.03


def test_a_tie_goes_to_the_answer_given_first_and_nobody_wins_without_answers():
    assert by_vote(judged(["", "a", "r", "r", "a"])) == {1, 4}
    assert by_vote(judged(["", ""])) == set()


def test_the_file_of_facts_is_written_beside_the_verdicts(tmp_path: Path):
    facts = counted({"p": ["r", "r", "a"]})
    facts.write(tmp_path)
    assert type(facts).read(tmp_path) == facts
