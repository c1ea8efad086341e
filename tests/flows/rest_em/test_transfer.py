"""A run's policies on other benchmarks: measured, compared with the base, regressions flagged."""

from __future__ import annotations

import json

import pytest

from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from flows.rest_em.results import PolicyReport
from flows.rest_em.summary import _regressions
from tasks.errors import UserError
from tests.flows.conftest import Restem
from tests.flows.rest_em.report_parts import estimate


def test_every_policy_is_measured_on_the_other_benchmark(copied: Restem) -> None:
    other = ('evaluation.transfer=["synthetic_math"]', "evaluation.transfer_limit=40")
    steps = copied.demo(*other, "iterations=1")
    made = [step for step in steps if step["step"] == "generate synthetic_math (transfer)"]
    assert [step["iteration"] for step in made] == [0, 1]
    assert {step["rows"] for step in made} == {40}
    assert {s["state"] for s in steps if s["step"] == "finetune"} == {"Cached"}
    report = copied.home / "runs" / copied.status()["run"] / "report.html"
    assert "Transfer" in report.read_text()
    artifact = next(step["artifact"] for step in steps if step["step"] == "report")
    found = json.loads((copied.home / "store" / artifact / "report.json").read_text())
    base, tuned = (item["transfer"]["synthetic_math"] for item in found["iterations"])
    assert base["difference"] is None and not base["regression"]
    change = tuned["greedy"]["value"] - base["greedy"]["value"]
    assert tuned["difference"]["value"] == pytest.approx(change)


def test_a_regression_is_a_warning() -> None:
    worse = {"greedy": estimate(0.2), "difference": estimate(-0.2), "regression": True}
    same = {"greedy": estimate(0.4), "difference": estimate(0.0), "regression": False}
    last = {"iteration": 1, "model": "m", "transfer": {"gsm8k": worse, "svamp": same}}
    [said] = _regressions(PolicyReport.from_json(last))
    assert "iteration 1 is worse than the base policy on gsm8k: -20.0 points [-24.0, -16.0]" in said


def test_what_a_person_grades_is_no_transfer() -> None:
    with pytest.raises(UserError, match=r"evaluation\.transfer: hungarian is graded by hand"):
        parse(RestEmConfig, {"evaluation": {"transfer": ["hungarian"]}}, "test")


def test_code_elsewhere_needs_the_sandbox() -> None:
    assert RestEmConfig().sandbox is None
    config = parse(RestEmConfig, {"evaluation": {"transfer": ["humaneval"]}}, "test")
    assert config.sandbox is not None
