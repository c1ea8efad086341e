"""What is settled between two answers without a judge, and wins by the checker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.answers import Answers, paired_answers, win_of, wins_by_reward
from tasks.evaluate.win_rate import mean_wins

texts = st.sampled_from(["", "a", "b", "a b", "a  b", "a\nb"])


@pytest.mark.parametrize(
    ("text", "other", "win"),
    [
        ("a b", "a  b", 0.5),
        ("", "", 0.5),
        ("a", "", 1.0),
        ("", "a", 0.0),
        ("a", "b", None),
    ],
)
def test_what_needs_no_judge(text: str, other: str, win: float | None) -> None:
    assert Answers(text, other).settled == win


@given(texts, texts)
def test_swapped_answers_have_the_other_win(text: str, other: str) -> None:
    one, back = Answers(text, other).settled, Answers(other, text).settled
    assert (one is None) == (back is None)
    assert one is None or back is None or one == 1 - back


@pytest.mark.parametrize(("p", "win"), [(0.0, 0), (0.49, 0), (0.5, 0.5), (0.51, 1), (1.0, 1)])
def test_the_preferred_answer_wins_whole(p: float, win: float) -> None:
    assert win_of(p) == win


def test_answers_are_those_of_samples_that_both_have() -> None:
    def row(index: int, text: str, finish: str = "stop") -> dict[str, object]:
        return {"problem_id": "a", "index": index, "text": text, "finish": finish}

    ours = [row(0, " x "), row(1, "cut", "length"), row(2, "lost", "error"), row(3, "alone")]
    found = paired_answers(ours, [row(n, "y") for n in range(3)])
    assert found == {
        ("a", 0): Answers("x", "y"),
        ("a", 1): Answers("cut", "y"),
        ("a", 2): Answers("", "y"),
    }


def test_the_checker_prefers_the_higher_reward() -> None:
    ours = {("a", 0): 1.0, ("b", 0): 0.4, ("c", 0): 0.0, ("d", 0): 1.0}
    others = {("a", 0): 0.0, ("b", 0): 0.4, ("c", 0): 0.7}
    assert wins_by_reward(ours, others) == {("a", 0): 1.0, ("b", 0): 0.5, ("c", 0): 0.0}


def test_several_samples_of_a_problem_count_once() -> None:
    wins = {("a", 0): 1.0, ("a", 1): 0.0, ("b", 0): 1.0}
    lengths = {("a", 0): (2, 4), ("a", 1): (6, 8), ("b", 0): (1, 1), ("c", 0): (9, 9)}
    assert mean_wins(wins, lengths) == ([0.5, 1.0], [(4, 6), (1, 1)])
