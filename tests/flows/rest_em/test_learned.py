"""What a report says of a run that learned nothing, or of which nobody can say that it did."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.rest_em.report_parts import check, estimate, full, page_of


def barren(correct: int = 0, **counts: int) -> dict[str, Any]:
    """A run of which the base policy's samples gave no training row."""
    report = full()
    base = report["iterations"][0]
    dropped = {
        name: 0 for name in base["selection"] if name.startswith(("dropped", "kept", "problems"))
    }
    base["selection"] |= {**dropped, "samples": 160, "correct": correct, **counts}
    base["drawn"] = {"statuses": {}, "refused": []}
    report["iterations"] = [base]
    return report


def said(report: dict[str, Any]) -> str:
    return " ".join(check(page_of(report)).text.split())  # a link is a text of its own


@pytest.mark.parametrize(
    ("statuses", "ended", "tried"),
    [
        ({"wrong_answer": 100, "no_answer": 60}, "100 wrong answer, 60 no answer", "model.base"),
        ({"no_answer": 100, "wrong_answer": 60}, "100 no answer, 60 wrong answer", "model.prompt"),
        ({"checker_error": 160}, "160 checker error", "nobody knows which are right"),
        ({"sandbox_error": 160}, "160 sandbox error", "restem doctor"),
        ({"time_limit": 160}, "160 time limit", "execution.time_limit"),
    ],
)
def test_why_nothing_was_accepted_and_what_to_try(
    statuses: dict[str, int], ended: str, tried: str
) -> None:
    report = barren()
    report["iterations"][0]["drawn"]["statuses"] = statuses
    text = said(report)
    assert "Nothing was learned: none of 160 samples is correct" in text
    assert f"How they ended: {ended}." in text and tried in text
    assert "No iteration is done yet" not in text


def test_a_graded_reward_may_be_asked_for_less() -> None:
    report = barren()
    report["config"]["filter"] = {"score": "math", "min_reward": 0.5}
    report["iterations"][0]["drawn"]["statuses"] = {"wrong_answer": 160}
    text = said(report)
    assert "none of 160 samples is accepted" in text and "lower filter.min_reward" in text


def test_right_samples_of_which_none_was_kept() -> None:
    text = said(barren(12, dropped_reward=148, dropped_unfinished=10, dropped_duplicate=2))
    assert "Nothing was learned: of 12 correct samples none was kept" in text
    assert "10 cut at the limit (sampling.max_tokens), 2 duplicates (filter.dedup)" in text


@pytest.mark.parametrize(("rows", "words"), [(1, "1 row"), (9, "9 rows")])
def test_a_handful_of_training_rows_is_the_headline(rows: int, words: str) -> None:
    report = full()
    report["iterations"][2]["finetune"]["rows"] = rows
    assert f"Trained on {words} alone: greedy accuracy 31.0% → 52.5%" in said(report)


def test_ten_rows_are_no_headline() -> None:
    report = full()
    report["iterations"][2]["finetune"]["rows"] = 10
    assert "Trained on" not in said(report)


def test_prompts_of_a_fine_tune_that_draws_are_no_rows() -> None:
    report = full()
    report["iterations"][2]["finetune"] |= {"rows": 5}
    report["iterations"][2]["finetune"]["history"].append({"step": 899, "sampled_reward": 0.4})
    assert "Trained on" not in said(report)


def unclear(**more: Any) -> dict[str, Any]:
    """A gain of which the interval includes none."""
    report = full()
    gain = {"value": 0.2, "low": -0.01, "high": 0.3, "problems": 77}
    report["iterations"][2] |= {"gain": gain, **more}
    return report


def test_a_gain_that_may_be_chance_is_said_to_be_one() -> None:
    text = said(unclear())
    assert "Greedy accuracy 31.0% → 51.0% in iteration 2, which may be chance" in text
    assert "with 77 test problems smaller changes than 16 points go unseen" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("few rows", "40 training rows are few"),
        ("seldom", "only 1.0% of the samples are correct"),
        ("no check", "no check of the fine-tune was better on validation problems"),
        ("solved", "the base policy solves nearly all"),
    ],
)
def test_why_there_may_be_no_gain(change: str, words: str) -> None:
    report = unclear()
    base, one, now, _ = report["iterations"]
    now["finetune"] |= {"rows": 400}
    assert words not in said(report)
    if change == "few rows":
        now["finetune"]["rows"] = 40
    elif change == "seldom":
        one["selection"] |= {"correct": 10}
    elif change == "no check":
        base["metrics"] |= {"validation": estimate(0.4)}
    else:
        base["metrics"] |= {"greedy": estimate(0.955)}
        now["metrics"] |= {"greedy": estimate(0.96)}
    assert words in said(report)


def test_a_clear_gain_needs_no_reasons() -> None:
    assert "Why that may be" not in said(full())


def test_what_was_not_measured_is_named_in_one_line() -> None:
    report = full()
    for now in report["iterations"]:
        now["levels"], now["metrics"] = {}, {"greedy": now["metrics"]["greedy"]}
    text = said(report)
    assert "Not measured here: Train–test gap, pass@k against the base policy" in text
    assert "Nothing of this was measured" not in text
