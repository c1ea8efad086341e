"""A configuration that fails before any work is no run, and `latest` is still the run before it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from flows.runs.journal import Journal, find_run, sole
from flows.runs.journal_forms import StepLine
from tests.flows.conftest import Restem


def line(step: str) -> StepLine:
    return StepLine(
        iteration=0,
        step=step,
        label=step,
        state="Completed",
        took=0.1,
        seconds=0.1,
        tokens=0,
        rows=1,
        artifact=f"{step.replace(' ', '-')}/1",
        digest="d",
    )


def test_only_preparing_is_no_run(home: Path) -> None:
    journal = Journal("early", {}, "rest-em")
    journal.step(line("problems"))
    journal.step(line("base model"))
    assert journal.is_no_run
    journal.discard()
    assert not (home / "runs" / "early" / "run.json").exists()


def test_a_sample_makes_a_run(home: Path) -> None:
    journal = Journal("late", {}, "rest-em")
    journal.step(line("generate test"))
    assert not journal.is_no_run


def test_a_run_of_before_stays_one(home: Path) -> None:
    first = Journal("again", {}, "rest-em")
    first.step(line("generate test"))
    first.end("interrupted")
    assert not Journal("again", {}, "rest-em").is_no_run


def test_who_waits_for_what_is_no_run_goes_on(home: Path) -> None:
    waits, went = threading.Event(), threading.Event()

    def wait() -> None:
        with sole("same", waits.set):
            Journal("same", {}, "rest-em").end("completed")
            went.set()

    with sole("same", lambda: None):
        journal = Journal("same", {}, "rest-em")
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert waits.wait(300)
        journal.discard()
    waiter.join(300)
    assert went.is_set() and find_run("same").is_dir()


def test_a_mistake_takes_no_latest(copied: Restem) -> None:
    before = copied.status()["run"]
    said = copied("run", "math-demo", "--set", "model.base=/no/such/folder", code=2)
    assert "model.base" in said
    assert copied.status()["run"] == before
    assert [one["run"] for one in json.loads(copied("runs", "--json"))] == [before]
