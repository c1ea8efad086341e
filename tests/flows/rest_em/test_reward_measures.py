"""What a whole run measures of its labels, its reward model and its proxy reward."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.rest_em import RestEmConfig, load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop, LoopResult
from flows.rest_em.page.page import render
from flows.rest_em.results import RunReport
from flows.rest_em.summary import report_call, summarise
from tasks.errors import UserError
from tasks.store.store import ArtifactRef
from tests.small import SMALLEST

# Names of steps, and what they made.
Done = list[tuple[str, ArtifactRef]]
SMALL_NOTES = (
    *SMALLEST,
    "iterations=1",
    "judge.labels=people",
    "reward.held_out=0.6",
    "reward.epochs=1",
    "reward.null=1",
    "evaluation.bootstrap=100",
    "evaluation.train_problems=0",
    "resources.threads=1",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(tmp_path))


def _run(config: RestEmConfig) -> tuple[LoopResult, RunReport, Done]:
    with DirectCaller(config) as caller:
        outcome = Loop(config, caller).run()
        report = summarise(report_call(config, outcome), caller.store)
        return outcome, report, caller.done


@pytest.mark.engine
def test_a_run_measures_what_rewards_it_and_finds_it_again(home: None) -> None:
    config = load_config("notes-demo", list(SMALL_NOTES))
    outcome, report, done = _run(config)
    base, last = report.iterations
    labels = base.labels
    assert labels is not None and labels.labels == "people" and labels.alignment is not None
    # Simulated people agree with the checker by more than chance, and not always.
    assert 0.6 < labels.alignment.agreement.value <= 1.0
    assert labels.model is not None and labels.model.ceiling is not None
    assert labels.model.shuffled is not None
    assert last.proxy is not None
    assert [level.policy for level in last.proxy.levels] == [0, 1]
    levels = [level.oracle for level in last.proxy.levels]
    assert levels == [base.greedy, last.greedy]  # of the same answers
    measured = [step for step, _ in done if step.startswith("measure")]
    assert measured == ["measure", "measure labels", "measure", "measure proxy"]
    steps = {row.step for row in report.cost.steps} if report.cost else set()
    assert {"compare draw", "fit", "fit null", "rate draw", "rate test"} <= steps
    assert "Preference pairs" in render(report)

    again, found, same = _run(config)
    assert same == done and found.iterations == report.iterations
    assert again.warnings == outcome.warnings


def test_a_reference_that_is_no_file_is_said_in_a_line(home: None) -> None:
    changes = [*SMALL_NOTES, "judge.reference=/nowhere/labels.jsonl"]
    config = load_config("notes-demo", changes)
    with pytest.raises(UserError, match=r"judge\.reference: /nowhere/labels\.jsonl: No such file"):
        _run(config)


def test_people_are_not_measured_against_themselves() -> None:
    with pytest.raises(UserError, match="reference: these people are the labels"):
        load_config("notes-demo", [*SMALL_NOTES, "judge.reference=people"])
