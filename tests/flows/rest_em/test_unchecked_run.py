"""Whole runs whose rewards ask for no reference: vote, any, and the random control."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flows.config.rest_em import load_config
from flows.rest_em.page.page import render
from flows.rest_em.results import RunReport
from flows.rest_em.summary import report_call, summarise
from tasks.errors import UserError
from tests.flows.rest_em.direct_run import QUIET, Ran
from tests.small import SMALL, SMALLEST

SMALL_RUN = (*SMALL, *SMALLEST, "iterations=1", "data.train_limit=64", "filter.cap=3", *QUIET)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all runs here: what they have in common is made once."""
    return tmp_path_factory.mktemp("unchecked")


def ran(home: Path, *changes: str) -> Ran:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTEM_HOME", str(home))
        return Ran(load_config("math-demo", [*SMALL_RUN, *changes]))


def report_of(run: Ran) -> RunReport:
    return summarise(report_call(run.config, run.outcome), run.store)


def rows_of(run: Ran) -> list[dict[str, Any]]:
    selection = run.outcome.iterations[0].selection
    assert selection is not None
    return run.rows([selection], "rows.parquet")


@pytest.mark.engine
def test_other_rewards_share_all_samples_and_the_control_has_as_many_rows(home: Path) -> None:
    plain = ran(home)
    by_problem = Counter(row["problem_id"] for row in rows_of(plain))
    found = {}
    for score in ("random", "any", "vote"):
        run = ran(home, f"filter.score={score}")
        drawn = [one.outcome.iterations[0].drawn for one in (run, plain)]
        assert drawn[0].samples == drawn[1].samples and drawn[0].verdicts == drawn[1].verdicts
        found[score] = rows_of(run)
    assert Counter(row["problem_id"] for row in found["random"]) == by_problem
    texts = {row["completion"] for row in rows_of(plain)}
    assert {row["completion"] for row in found["random"]} != texts
    assert len(found["any"]) > len(rows_of(plain))


@pytest.mark.engine
def test_the_page_says_what_votes_are_worth(home: Path) -> None:
    report = report_of(ran(home, "filter.score=vote"))
    votes = report.iterations[0].votes
    assert votes is not None
    assert 0 < votes.labels_right < votes.problems <= 64
    assert votes.misled_right <= votes.misled < votes.samples
    assert "What the votes are worth" in render(report)
    assert "What the votes are worth" not in render(report_of(ran(home)))


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("math-demo", ['filter.rewards=[{reward="vote"}]'], "filter"),
        ("math-demo", ["filter.min_pass_rate=0.8", "filter.max_pass_rate=0.2"], "filter"),
        ("math-demo", ["filter.cap=0", "filter.cap_by=difficulty"], "filter"),
        ("math-demo", ["filter.cap=0", "filter.select=diverse"], "filter"),
        ("math-demo", ["filter.score=vote", "sampling.enough=2"], "sampling.enough"),
        ("math-demo", ["filter.score=random", "finetune.improve=dpo"], "filter.score"),
        ("code-demo", ["filter.score=vote"], "filter.score"),
    ],
)
def test_what_does_not_go_together_is_one_line(name: str, changes: list[str], field: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(name, changes)
    assert field in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
