"""The report page: hostile text, missing parts, and a real browser that finds nothing wrong."""

from __future__ import annotations

import base64
import copy
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from flows.report.charts import nice_ticks
from flows.rest_em.page.page import markdown
from flows.rest_em.page.policies import shown_policies
from flows.rest_em.results import RunReport
from tasks.facts import WrongFacts
from tests.flows.rest_em.report_parts import browse, check, estimate, full, page_of, policy, without


def test_hostile_text_is_shown_and_not_run() -> None:
    page = check(page_of(full()))
    assert '<script>document.title="owned"</script>' in page.text
    assert "{{ 7*7 }}" in page.text and "\x00" not in page.text and "␛[31m" in page.text


def test_a_count_of_samples_has_the_command_that_shows_them() -> None:
    report = full()
    report["iterations"][0]["drawn"] = {"statuses": {"correct": 400, "time_limit": 600}} | {
        "refused": []
    }
    counts = [a for tag, a in check(page_of(report)).seen if tag == "a"]
    assert all("href" not in one for one in counts)  # a station makes links of them
    asked = {str(one["data-samples"]).removeprefix("samples?") for one in counts}
    assert {
        "purpose=test&iteration=2&flipped=solved",
        "purpose=test&iteration=1&status=not_checked",
        "iteration=0&status=time_limit",
        "iteration=0&status=not_correct",
        "purpose=test&iteration=1&finish=length",
        *("iteration=0&fate=kept", "iteration=2&fate=duplicate", "iteration=1&fate=unfinished"),
        "iteration=0",
    } <= asked
    assert "iteration=0&fate=over_cap" not in asked  # another rule dropped some, too
    assert "iteration=1" not in asked  # its verdicts are not those that were counted
    titles = {str(one["title"]) for one in counts if "title" in one}  # a bar has none
    assert all(title.startswith("restem samples '</pre>") for title in titles)
    assert any(title.endswith(" --iteration 0 --status not_correct") for title in titles)


@pytest.mark.parametrize(
    ("select", "told"), [("threshold", True), ("best", False), ("own.py:function", False)]
)
def test_a_count_outside_the_band_leads_to_its_samples_where_the_band_alone_decides(
    select: str, told: bool
) -> None:
    report = full()
    report["config"]["filter"]["select"] = select
    now = report["iterations"][0]["selection"]
    now |= {"dropped_band": now["dropped_contaminated"], "dropped_contaminated": 0}
    seen = check(page_of(report)).seen
    asked = {str(one.get("data-samples", "")).removeprefix("samples?") for _, one in seen}
    banded = {"iteration=0&fate=outside_band", "iteration=0&fate=over_cap"}
    assert banded & asked == (banded if told else set())
    assert {"iteration=0&fate=kept", "iteration=0&fate=unfinished"} <= asked


def test_long_model_text_is_cut_and_says_so() -> None:
    text = page_of(full())
    assert "more characters)" in text and len(text) < 400_000


def test_headline_names_the_best_and_the_last_policy() -> None:
    page = check(page_of(full()))
    assert "Greedy accuracy 31.0% → 52.5%: +21.5 points in iteration 2" in page.text
    assert "The last policy (iteration 3) is at 50.0%." in page.text
    assert "90% interval" in page.text


def test_a_paired_gain_is_preferred_where_there_is_one() -> None:
    report = full()
    report["iterations"][2]["gain"] = {"value": 0.2, "low": -0.01, "high": 0.3, "problems": 77}
    page = check(page_of(report))
    assert "−1.0 to +30.0 points (paired over the same 77 test problems)" in page.text
    assert "which may be chance" in page.text and "try more (data.test_limit)" in page.text


def test_a_lost_variety_is_said() -> None:
    report = full()
    report["iterations"][-1]["metrics"]["pass@4"] = estimate(0.2)
    assert "pass@4 fell below the base policy's" in check(page_of(report)).text


def test_a_change_of_variety_is_a_paired_one_where_there_is_one() -> None:
    report = full()
    last = report["iterations"][-1]
    last["metrics"]["pass@4"] = dict(report["iterations"][0]["metrics"]["pass@4"])
    last["pass_gain"] = {"value": 0.12, "low": 0.01, "high": 0.23, "problems": 100}
    assert "pass@4 rose too" in check(page_of(report)).text
    last["pass_gain"]["low"], last["metrics"]["pass@4"] = -0.01, estimate(0.9)
    assert "within noise" in check(page_of(report)).text


def test_no_gain_is_not_called_one() -> None:
    report = full()
    for now in report["iterations"][1:]:
        now["metrics"]["greedy"] = estimate(0.25)
    text = check(page_of(report)).text
    assert "No iteration beats the base policy (31.0% greedy)" in text and "−6.0 points" in text


@pytest.mark.parametrize(
    "report",
    [
        {**full(), "iterations": full()["iterations"][:1]},
        {
            **full(),
            "iterations": [
                {"iteration": i, "model": "m", "metrics": {"greedy": estimate(0.2)}} for i in (0, 1)
            ],
        },
        without(full(), "selection", "finetune", "levels", "transfer", "mean_tokens", "statuses"),
        {**full(), "cost": None, "warnings": []},
    ],
    ids=["base only", "bare", "missing sections", "no cost"],
)
def test_missing_parts_are_left_out(report: dict[str, Any]) -> None:
    page = check(page_of(report))
    assert page.count("h1") == 1 and "nan" not in page.text.lower()
    assert "None" not in markdown(RunReport.from_json(report))


def test_zero_accepted_samples_and_one_problem() -> None:
    report = full()
    for now in report["iterations"]:
        now["selection"] = {
            "samples": 8,
            "correct": 0,
            "dropped_reward": 8,
            "kept": 0,
            "levels": {"1": {"samples": 8, "correct": 0}, "2": {"samples": 0}},
        }
        now["metrics"] = {"greedy": {"value": 0.0, "low": 0.0, "high": 0.975, "problems": 1}}
    page = check(page_of(report))
    assert "No iteration beats the base policy (0.0% greedy)" in page.text
    assert "0 of 8 correct" in page_of(report)


@pytest.mark.parametrize(
    ("place", "field", "value", "message"),
    [
        ((), "runs", "a", "report.json: runs"),
        ((), "run", ..., "report.json: run is missing"),
        (("iterations", 1), "lvels", {}, "report.json: iterations: 1: lvels"),
        (("iterations", 1), "p", ..., "report.json: iterations: 1: against_base: p is missing"),
        (("iterations", 1, "metrics", "greedy"), "low", "x", "iterations: 1: metrics: greedy: low"),
        (("iterations", 0, "metrics", "greedy"), "high", ..., "metrics: greedy: high is missing"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    place: tuple[Any, ...], field: str, value: Any, message: str
) -> None:
    report = full()
    part = report
    for step in place:
        part = part[step]
    if value is ...:
        del part[field]
    else:
        part[field] = value
    with pytest.raises(WrongFacts, match=re.escape(message)):
        RunReport.from_json(report, "report.json")


def test_what_is_written_is_what_is_read() -> None:
    report = RunReport.from_json(full())
    written = report.to_json()
    again = RunReport.from_json(written)
    assert again.iterations == report.iterations and again.to_json() == written
    assert set(written) == {"run", "iterations"} and "p" not in written["iterations"][0]
    assert written["iterations"][1]["finetune"]["history"][0] == {"step": 1, "loss": 1.0}


def test_a_loss_that_is_no_number_is_left_out() -> None:
    report = full()
    report["iterations"][1]["finetune"]["history"][3]["loss"] = float("nan")
    assert "nan" not in check(page_of(report)).text.lower()


def test_many_iterations_show_the_base_and_the_last_five() -> None:
    report = full()
    report["iterations"] = [policy(i, 0.3 + i / 100) for i in range(12)]
    shown = shown_policies(RunReport.from_json(report).iterations)
    assert [now.iteration for now in shown] == [0, 7, 8, 9, 10, 11]
    check(page_of(report))


def test_metrics_stand_in_an_order_of_their_own_and_sizes_by_number() -> None:
    report = full()
    for now in report["iterations"]:
        metrics = {**now["metrics"], "pass@16": estimate(0.9)}
        now["metrics"] = dict(sorted(metrics.items()))
    heads = re.findall(r'<th scope="row">(.*?)</th>', page_of(report))
    assert heads[:8] == ["greedy", "train", "gap", "pass@1", "pass@2", "pass@4", "pass@16", "maj@8"]


def test_charts_are_xml_with_a_name_and_finite_places() -> None:
    drawn = re.findall(r"<svg.*?</svg>", page_of(full()), re.S)
    assert len(drawn) == 9
    for text in drawn:
        root = ET.fromstring(text)
        linked = root.find("a") is not None
        assert root.get("role") == ("group" if linked else "img") and root.get("aria-label")
        assert not re.search(r'="[^"]*\b(nan|inf)\b', re.sub(r'data-tip="[^"]*"', "", text))


def test_markdown_has_a_table_and_a_picture_that_stands_alone() -> None:
    text = markdown(RunReport.from_json(full()))
    assert "| iteration 2 | 52.5% [48.5,\u00a056.5] |" in text
    picture = re.search(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    assert picture is not None
    root = ET.fromstring(base64.b64decode(picture[1]))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    plain = text.replace(picture[0], "")
    assert "<script" not in plain and "<img" not in plain and "\x00" not in plain


def test_equal_summaries_give_equal_pages() -> None:
    assert page_of(full()) == page_of(copy.deepcopy(full()))
    assert markdown(RunReport.from_json(full())) == markdown(
        RunReport.from_json(copy.deepcopy(full()))
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.31, 0.33, [0.31, 0.315, 0.32, 0.325, 0.33]),
        (0.5, 0.5, [0.5, 0.6]),
        (0.0, 0.0, [0.0, 0.2]),
        (-0.03, 0.05, [-0.04, -0.02, 0.0, 0.02, 0.04, 0.06]),
    ],
)
def test_ticks_are_round_and_enclose(low: float, high: float, expected: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_a_browser_opens_it_without_an_error(chromium: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_of(full()), encoding="utf-8")
    dom, console = browse(chromium, page, tmp_path / "profile")
    assert console == []
    title = re.search(r"<title>(.*?)</title>", dom, re.S)
    assert title is not None and title[1].endswith("in iteration 2")
    # The same look finds an error where there is one, and the policy stops a script of another's.
    page.write_text(page.read_text().replace("</main>", "<script>document.title=1</script></main>"))
    dom, console = browse(chromium, page, tmp_path / "profile")
    assert any("Content Security Policy" in line for line in console)
    assert "<title>1</title>" not in dom
