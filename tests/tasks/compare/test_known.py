"""Pairs of a right and a wrong sample, as a run's verdicts give them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tasks.compare.known import KnownPair, draw_known
from tasks.rows import Row

STATUSES = ("correct", "wrong_answer", "checker_error", "rated")
samples = st.lists(
    st.tuples(
        st.sampled_from("pqr"),
        st.sampled_from(["x", "x ", "y", "z", "w", " "]),
        st.sampled_from(STATUSES),
        st.sampled_from(["stop", "stop", "length"]),
    ),
    max_size=25,
)


def _rows(drawn: list[tuple[str, str, str, str]]) -> list[Row]:
    return [
        {"problem_id": problem, "index": n, "text": text, "status": status, "finish": finish}
        for n, (problem, text, status, finish) in enumerate(drawn)
    ]


def _draw(rows: list[Row], seed: int = 0, count: int = 0) -> list[KnownPair]:
    return draw_known(lambda: iter(rows), seed, count)


def _texts(one: KnownPair) -> tuple[str, str]:
    """The right text and the wrong one."""
    first, second = one.pair.texts
    return (first, second) if one.first_right else (second, first)


@given(samples, st.integers(0, 3))
def test_every_pair_has_a_right_and_a_wrong_text_of_its_problem(drawn, seed: int) -> None:
    rows = _rows(drawn)
    known = {
        (row["problem_id"], row["text"].strip(), row["status"])
        for row in rows
        if row["finish"] == "stop"
    }
    for one in _draw(rows, seed):
        right, wrong = _texts(one)
        assert (one.pair.problem_id, right, "correct") in known
        assert (one.pair.problem_id, wrong, "wrong_answer") in known
        assert right and wrong and right != wrong
        assert one.pair.first < one.pair.second
        assert 0 < one.share < 1


@given(samples, st.integers(0, 3))
def test_no_text_is_in_two_pairs(drawn, seed: int) -> None:
    used = Counter(
        (one.pair.problem_id, text) for one in _draw(_rows(drawn), seed) for text in one.pair.texts
    )
    assert not used or max(used.values()) == 1


@given(samples, st.integers(1, 5), st.integers(0, 3))
def test_few_pairs_are_among_many_and_of_as_many_problems_as_can_be(drawn, count, seed) -> None:
    rows = _rows(drawn)
    few, everything = _draw(rows, seed, count), _draw(rows, seed)
    assert len(few) == min(count, len(everything))
    assert set(few) <= set(everything)
    problems = {one.pair.problem_id for one in everything}
    assert len({one.pair.problem_id for one in few}) == min(count, len(problems))


def test_the_share_is_that_of_finished_samples() -> None:
    drawn = [("p", "x", "correct", "stop"), ("p", "x", "correct", "stop")]
    drawn += [("p", "y", "wrong_answer", "stop"), ("p", "z", "runtime_error", "stop")]
    drawn += [("p", "w", "wrong_answer", "length"), ("p", "v", "sandbox_error", "stop")]
    [one] = _draw(_rows(drawn))
    assert one.share == 0.5
    assert _texts(one)[0] == "x"


def test_the_right_text_stands_first_half_of_the_time() -> None:
    """Though right ones come last in a run, and a problem has several wrong ones to draw from."""
    drawn = [(f"p{n % 2000}", f"wrong {n}", "wrong_answer", "stop") for n in range(8000)]
    drawn += [(f"p{n}", f"right {n}", "correct", "stop") for n in range(2000)]
    first = sum(one.first_right for one in _draw(_rows(drawn)))
    assert abs(first - 1000) < 4 * 2000**0.5 / 2
