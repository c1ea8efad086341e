"""The page of an evaluation: hostile text, one policy or two, grading by hand, and a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flows.evaluate.page import markdown, render
from flows.evaluate.results import EvaluationResults
from flows.evaluate.tables import results_text
from tasks.facts import WrongFacts
from tests.flows.rest_em.report_parts import HOSTILE, browse, check, estimate, texts


def measured(number: int, greedy: float) -> dict[str, Any]:
    metrics = {"greedy": estimate(greedy), "maj@4": estimate(greedy)}
    metrics |= {f"pass@{k}": estimate(greedy + 0.05 * k) for k in (1, 2, 4)}
    return {
        "number": number,
        "metrics": metrics,
        "levels": {},
        "subjects": {"algebra": estimate(greedy), HOSTILE: estimate(greedy)},
        "statuses": {"correct": 3, "checker_error": 1},
        "mean_tokens": 12.5,
        "truncated": 0.1,
    }


def compared() -> dict[str, Any]:
    names = ("greedy", "pass@1", "pass@2", "pass@4", "maj@4")
    return {
        "metrics": {name: estimate(-0.1) for name in names},
        "mcnemar": {"solved": 4, "lost": 19, "p": 0.0026, "p_holm": 0.0052},
        "bins": [
            {
                "bin": "75% or more",
                "problems": 9,
                "before": 0.9,
                "after": 0.4,
                "difference": estimate(-0.5),
            }
        ],
        "regression": True,
        "crossing": [4],
        "solved": [texts(1)],
        "lost": [texts(2), texts(3)],
    }


def plain_results(policies: int = 2) -> dict[str, Any]:
    of = [measured(number, 0.5 - number / 10) for number in range(policies)]
    labels = [HOSTILE, "run-1234:2"][:policies]
    return {
        "run": "evaluate-1234",
        "name": "evaluate",
        "model": labels[-1],
        "against": HOSTILE if policies > 1 else "",
        "config": {"measure": {"confidence": 0.95}, "model": HOSTILE},
        "policies": [
            {"number": n, "label": label, "digest": "d"} for n, label in enumerate(labels)
        ],
        "benchmarks": [
            {
                "name": "gsm8k",
                "problems": 120,
                "policies": of,
                "hand": None,
                "comparison": compared() if policies > 1 else None,
            },
            {
                "name": "hungarian",
                "problems": 33,
                "policies": [{"number": n, "metrics": {}} for n in range(policies)],
                "hand": {
                    "file": "hungarian.jsonl",
                    "graded": 33,
                    "points": {"0": estimate(0.6), "1": None}
                    if policies > 1
                    else {"0": estimate(0.6)},
                },
                "comparison": None,
            },
        ],
        "warnings": [HOSTILE],
    }


def results(policies: int = 2) -> EvaluationResults:
    return EvaluationResults.from_json(plain_results(policies))


def test_what_is_written_is_what_is_read() -> None:
    assert results().to_json() == plain_results()


def test_a_field_that_is_wrong_is_named() -> None:
    raw = plain_results()
    raw["benchmarks"][0]["comparison"]["mcnemar"]["holm"] = 1
    named = re.escape("results.json: benchmarks: 0: comparison: mcnemar: holm")
    with pytest.raises(WrongFacts, match=named):
        EvaluationResults.from_json(raw, "results.json")


@pytest.mark.parametrize("policies", [1, 2])
def test_hostile_text_is_shown_and_not_run(policies: int) -> None:
    page = check(render(results(policies)))
    assert '<script>document.title="owned"</script>' in page.text and "\x00" not in page.text
    assert "nan" not in page.text.lower()
    said = markdown(results(policies))
    assert "<script" not in said and "None" not in said


def test_a_count_of_samples_leads_to_them() -> None:
    counts = [a for tag, a in check(render(results())).seen if tag == "a"]
    asked = {str(one["data-samples"]).removeprefix("samples?") for one in counts}
    assert asked == {
        *(f"purpose=gsm8k+greedy&iteration=1&flipped={kind}" for kind in ("solved", "lost")),
        *(
            f"purpose=gsm8k+greedy&iteration={number}&status={status}"
            for number in (0, 1)
            for status in ("correct", "checker_error")
        ),
        *(f"purpose=gsm8k+greedy&iteration={number}&finish=length" for number in (0, 1)),
    }
    command = "restem samples evaluate-1234 --purpose 'gsm8k greedy' --iteration 1 --flipped lost"
    assert command in {one["title"] for one in counts}


def test_two_policies_are_compared_in_words_and_tables() -> None:
    page = check(render(results()))
    assert "Worse, greedy: gsm8k (−10.0 [−14.0,\u00a0−6.0])." in page.text
    assert "Newly lost (19 in all, 2 shown)" in page.text
    assert "0.003" in page.text and "regression" in page.text


def test_cells_stand_under_their_titles() -> None:
    table = results_text(results()).splitlines()
    titles = table[0].split("  ")
    assert [word.strip() for word in titles if word.strip()][:5] == [
        "benchmark",
        "problems",
        "policy",
        "greedy",
        "pass@1",
    ]
    assert "50.0%" in table[1] and "40.0%" in table[2] and "−10.0" in table[3]
    assert "by hand" in table[6] and "60.0%" in table[6]


def test_a_browser_opens_it_without_an_error(chromium: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(results()), encoding="utf-8")
    _, console = browse(chromium, page, tmp_path / "profile")
    assert console == []
