"""Runs in a list, and what a filter takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.runs.journal import Journal
from flows.runs.listing import RunFilter, list_runs
from tasks.errors import UserError

CONFIG = {"name": "shop", "sampling": {"samples": 8, "engine": "vllm"}, "review": False}


@pytest.fixture
def runs(home: Path) -> list[str]:
    Journal("shop-1", CONFIG, "rest-em").end("completed")
    Journal("shop-2", {**CONFIG, "review": True}, "rest-em").end("failed", error="no disk")
    Journal("other-1", {"name": "other"}, "evaluate")  # nobody holds its lock
    return ["shop-1", "shop-2", "other-1"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (RunFilter(), {"shop-1", "shop-2", "other-1"}),
        (RunFilter("shop"), {"shop-1", "shop-2"}),
        (RunFilter(states=["failed", "interrupted"]), {"shop-2", "other-1"}),
        (RunFilter(where=["sampling.samples=8"]), {"shop-1", "shop-2"}),
        (RunFilter(where=["sampling.samples=8", "review=true"]), {"shop-2"}),
        (RunFilter(where=["sampling.engine=vllm", "name=shop"]), {"shop-1", "shop-2"}),
        (RunFilter(where=["sampling.none=8"]), set()),
    ],
)
def test_a_filter(runs: list[str], asked: RunFilter, found: set[str]) -> None:
    assert {one.run for one in list_runs(asked)} == found


def test_what_a_line_says(runs: list[str]) -> None:
    lines = {one.run: one for one in list_runs(RunFilter())}
    assert lines["shop-2"].error == "no disk" and lines["shop-2"].name == "shop"
    assert lines["other-1"].state == "interrupted" and lines["other-1"].seconds is None


def test_a_damaged_run_is_passed_over(runs: list[str], home: Path) -> None:
    (home / "runs" / "shop-1" / "run.json").write_text("{")
    assert {one.run for one in list_runs(RunFilter())} == {"shop-2", "other-1"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (RunFilter(states=["done"]), "--state done: expected one of: running, completed"),
        (RunFilter(where=["samples"]), "--where samples: expected FIELD=VALUE"),
        (RunFilter(where=["=8"]), "--where =8: expected FIELD=VALUE"),
    ],
)
def test_a_filter_that_is_none(home: Path, asked: RunFilter, said: str) -> None:
    with pytest.raises(UserError, match=said):
        list_runs(asked)
