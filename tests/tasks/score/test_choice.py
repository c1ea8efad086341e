"""The letter of a choice: found where it is said, and no letter where several are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.rows import Status
from tasks.score.choice import ChoiceGrader, chosen_letters

CASES = json.loads(Path(__file__).with_name("choice_cases.json").read_text())


@pytest.mark.parametrize(
    ("text", "letters"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_letters(text: str, letters: list[str]) -> None:
    assert chosen_letters(text) == letters


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("The answer is (B).", Status.CORRECT),
        ("The answer is (A).", Status.WRONG_ANSWER),
        ("The answer is (A) or (B).", Status.WRONG_ANSWER),
        ("B or A", Status.WRONG_ANSWER),
        ("I do not know.", Status.NO_ANSWER),
    ],
)
def test_only_the_one_letter_of_the_reference_is_right(text: str, status: Status) -> None:
    ((grade, _),) = ChoiceGrader().grade([("B", text)])
    assert grade.status is status and grade.reward == float(status is Status.CORRECT)


@given(st.text(alphabet="ABC()[]answer is:#*\\boxed{},./\n<think>", max_size=80))
def test_any_text_gets_a_grade(text: str) -> None:
    ((grade, _),) = ChoiceGrader().grade([("B", text)])
    assert grade.reward == float(chosen_letters(text) == ["B"])


@pytest.mark.parametrize(
    "text", ["answer is ", "A, ", "(", "<answer>", "answer ", "answer\n", "(A) ", "\\boxed{"]
)
def test_a_long_text_takes_no_longer_than_it_is(text: str) -> None:
    """A rule that went over the text again and again would take hours."""
    assert len(chosen_letters(text * 200_000)) < 2
