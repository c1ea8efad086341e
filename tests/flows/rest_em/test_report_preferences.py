"""The report's sections on labels, reward models and proxy rewards: whole, in part, and hostile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flows.rest_em.page.page import markdown
from flows.rest_em.results import RunReport
from flows.rest_em.warning_lines import alarm_lines
from tests.flows.rest_em.report_parts import HOSTILE, browse, check, estimate, full, page_of

TITLES = (
    "Labels of pairs",
    "Calibration of labels",
    "Position bias",
    "Agreement by difficulty of the pair",
    "Accuracy of the reward model",
    "Proxy reward against the checker's",
    "Preference pairs",
)


def _labels() -> dict[str, Any]:
    shown = {
        "problem_id": HOSTILE,
        "question": HOSTILE,
        "texts": [HOSTILE, HOSTILE],
        "p": 0.8,
        "shown": [0.9, 0.7],
        "reasons": [HOSTILE, HOSTILE],
        "rewards": [0.5, 0.25],
        "mark": "wrong",
    }
    bins = [
        {"low": 0.5, "high": 0.6, "pairs": 30, "sure": 0.55, "right": estimate(0.5)},
        {"low": 0.9, "high": 1.0, "pairs": 40, "sure": 0.95, "right": estimate(0.75)},
    ]
    return {
        "labels": "judge",
        "reference": "people",
        "pairs": 1234,
        "lost": 5,
        "undecided": 6,
        "alignment": {
            "agreement": estimate(0.761),
            "pairs": 1200,
            "same_place": estimate(0.21),
            "first_place": 0.44,
            "calibration": bins,
            "by_difficulty": [estimate(0.6), estimate(0.7), estimate(0.9)],
            "calibration_error": estimate(0.08),
            "differences": [0.1, 0.2, 0.5],
        },
        "ceiling": estimate(0.92),
        "model": {
            "pairs": 300,
            "accuracy": estimate(0.72),
            "longer": estimate(0.55),
            "random": estimate(0.5),
            "shuffled": estimate(0.49),
            "ceiling": None,
            "oracle": estimate(0.7),
        },
        "shown": [shown, {**shown, "mark": "right"}],
    }


def _proxy(number: int, oracle: float) -> dict[str, Any]:
    level = {"proxy": estimate(0.5), "oracle": estimate(0.5)}
    return {
        "rater": "a" if number < 2 else "b",
        "levels": [{"policy": n, **level} for n in (0, number)],
        "changes": [{"since": 0, "proxy": estimate(0.1), "oracle": estimate(oracle)}],
    }


def _report() -> dict[str, Any]:
    report = full()
    for now in report["iterations"][:-1]:
        now["labels"] = _labels()
    for now, oracle in zip(report["iterations"][1:], (0.1, -0.1, -0.02), strict=True):
        now["proxy"] = _proxy(now["iteration"], oracle)
    return report


def test_all_sections_are_there_and_hostile_texts_are_shown() -> None:
    page = check(page_of(_report()))
    for title in TITLES:
        assert title in page.text
    assert "76.1% [72.1,\u00a080.1]" in page.text
    assert '<script>document.title="owned"</script>' in page.text
    assert "Reason, first shown second" in page.text
    assert "None" not in markdown(RunReport.from_json(_report()))


def test_a_run_that_the_checker_rewards_has_none_of_them() -> None:
    page, written = check(page_of(full())), RunReport.from_json(full()).to_json()
    assert not any(title in page.text for title in TITLES)
    assert not any({"labels", "proxy"} & now.keys() for now in written["iterations"])  # type: ignore[attr-defined]


def test_what_is_written_is_what_is_read() -> None:
    report = RunReport.from_json(_report())
    assert RunReport.from_json(report.to_json()).iterations == report.iterations


@pytest.mark.parametrize("gone", ["alignment", "model", "shown"])
def test_what_was_not_measured_is_left_out(gone: str) -> None:
    report = _report()
    for now in report["iterations"][:-1]:
        del now["labels"][gone]
    text = check(page_of(report)).text
    assert "Labels of pairs" in text and "nan" not in text.lower()
    missing = {
        "alignment": TITLES[1:4],
        "model": TITLES[4:5],
        "shown": TITLES[6:],
    }[gone]
    assert [title for title in TITLES if title not in text] == list(missing)


def test_an_alarm_is_in_the_table_and_at_the_end() -> None:
    found = RunReport.from_json(_report())
    (line,) = alarm_lines(found.iterations)  # of the three, one falls by its whole interval
    assert line.startswith("warning: iteration 2: over-optimised: since the base policy")
    assert page_of(_report()).count("<td>over-optimised</td>") == 1


def test_a_line_joins_what_one_model_rated() -> None:
    text = page_of(_report())
    (chart,) = re.findall(r'<svg[^>]*aria-label="Proxy reward.*?</svg>', text, re.S)
    assert "rated by model 1" in chart and "rated by model 2" in chart
    report = _report()
    for now in report["iterations"][1:]:
        now["proxy"]["rater"] = "a"
    assert "rated by model" not in page_of(report)


def test_a_browser_opens_it_without_an_error(chromium: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_of(_report()), encoding="utf-8")
    dom, console = browse(chromium, page, tmp_path / "profile")
    assert console == [] and "Preference pairs" in dom
