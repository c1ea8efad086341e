"""Whole runs whose rewards ask for no reference: vote, any, and the random control."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.config.rest_em import load_config
from tasks.errors import UserError
from tests.flows.conftest import Restem

CHANGES = (
    "iterations=1",
    "data.train_limit=96",
    "data.test_limit=64",
    "data.validation=32",
    "evaluation.sampled_problems=32",
    "evaluation.train_problems=32",
    "filter.cap=3",
)


@pytest.fixture(scope="module")
def restem(server: str, tmp_path_factory: pytest.TempPathFactory) -> Restem:
    return Restem(tmp_path_factory.mktemp("unchecked"), server)


def rows_of(restem: Restem, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (made,) = [step for step in steps if step["step"] == "select"]
    return pq.read_table(restem.home / "store" / made["artifact"] / "rows.parquet").to_pylist()


def test_other_rewards_share_all_samples_and_the_control_has_as_many_rows(restem: Restem) -> None:
    plain = rows_of(restem, restem.demo(*CHANGES))
    by_problem = Counter(row["problem_id"] for row in plain)
    found = {}
    for score in ("random", "any", "vote"):
        steps = restem.demo(*CHANGES, f"filter.score={score}")
        states = {
            step["state"] for step in steps if step["step"] in ("generate draw", "score draw")
        }
        assert states == {"Cached"}
        found[score] = rows_of(restem, steps)
    random = Counter(row["problem_id"] for row in found["random"])
    assert random == by_problem
    assert {row["completion"] for row in found["random"]} != {row["completion"] for row in plain}
    assert len(found["any"]) > len(plain)

    (votes,) = [one["votes"] for one in latest(restem)["iterations"] if "votes" in one]
    assert 0 < votes["labels_right"] < votes["problems"] <= 96
    assert votes["misled_right"] <= votes["misled"] < votes["samples"]
    assert {step["state"] for step in restem.demo(*CHANGES, "filter.score=vote")} == {"Cached"}


def latest(restem: Restem) -> dict[str, Any]:
    """report.json of the last run."""
    (made,) = [step for step in restem.status()["steps"] if step["step"] == "report"]
    return json.loads((restem.home / "store" / made["artifact"] / "report.json").read_text())


def test_the_page_says_what_votes_are_worth(restem: Restem, tmp_path: Path) -> None:
    restem.demo(*CHANGES, "filter.score=vote")
    pages = [path.read_text() for path in restem.home.glob("runs/*/report.html")]
    assert sum("What the votes are worth" in page for page in pages) == 1


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
