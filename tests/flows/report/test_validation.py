"""The checks of a fine-tune as pages and `restem status` show them."""

from __future__ import annotations

import pytest

from flows.report.validation import checks_of, checks_rows
from tasks.evaluate.intervals import interval
from tasks.finetune.results import Choose, HistoryEntry, TrainingFacts
from tasks.settings import EvaluationSettings, FinetuneSettings

HOW = EvaluationSettings()


def training(rewards: list[float | None], kept: int, choose: Choose = "best") -> TrainingFacts:
    history = [HistoryEntry(step, reward=one) for step, one in enumerate(rewards, 1)]
    reward = rewards[kept - 1]
    return TrainingFacts(9, 0, 9, 9, 9, len(rewards), kept, reward, history, choose)


def test_a_share_has_the_interval_of_its_problems() -> None:
    found = checks_of(training([0.75], 1), 100, HOW)
    assert found
    expected = interval([1.0] * 75 + [0.0] * 25, HOW.bootstrap, HOW.confidence, 0)
    assert found.checks[0].reward == expected
    assert 0.6 < expected.low < 0.7 and 0.8 < expected.high < 0.9


def test_rewards_that_were_noted_are_taken() -> None:
    entry = HistoryEntry(3, reward=0.5, rewards=[0.25, 0.75, 0.5, 0.5])
    facts = TrainingFacts(9, 0, 9, 9, 9, 3, 3, 0.5, [entry], "one_se")
    found = checks_of(facts, 4, HOW)
    assert found and found.checks[0].reward == interval(
        [0.25, 0.75, 0.5, 0.5], HOW.bootstrap, HOW.confidence, 0
    )


@pytest.mark.parametrize(("rewards", "problems"), [([None, None], 100), ([0.5], 0)])
def test_without_checks_there_is_nothing_to_show(
    rewards: list[float | None], problems: int
) -> None:
    assert checks_of(training(rewards, 1), problems, HOW) is None


@pytest.mark.parametrize(
    ("choose", "kept", "words"),
    [
        ("best", 3, "kept check 3 of 4 (the best)"),
        ("one_se", 2, "kept check 2 of 4 (within one standard error of the best)"),
        ("one_se", 3, "kept check 3 of 4 (the best)"),
        ("last", 4, "kept check 4 of 4 (the last)"),
    ],
)
def test_the_table_says_which_was_kept_and_why(choose: Choose, kept: int, words: str) -> None:
    found = checks_of(training([0.2, 0.5, 0.6, 0.4], kept, choose), 50, HOW)
    assert found
    rows = checks_rows("p1", found)
    assert [row[-1] for row in rows] == ["" if at != kept else words for at in range(1, 5)]
    assert rows[1][:3] == ["p1", "2", "50.0 [36, 64]"]


def test_at_its_default_the_rule_stands_in_no_key() -> None:
    settings = FinetuneSettings()
    assert "choose" not in settings.recipe() and "choose" not in settings.described()
    assert FinetuneSettings(choose="last").recipe()["choose"] == "last"
