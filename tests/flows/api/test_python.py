"""restem from Python: docs/python.md is true, and what a run says there is what the verbs say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import flows.api
from flows.api import Run, StepError, UserError, load_config, read_run, resume, run
from flows.config.rest_em import RestEmConfig
from flows.rest_em.results import RunReport
from tests.flows.conftest import ROOT, Restem
from tests.small import SMALL

PAGE = ROOT / "docs" / "python.md"
# What a notebook does: cells one after another, in an event loop that runs already.
NOTEBOOK = """
import asyncio, json, pathlib, sys

async def notebook():
    scope = {"__name__": "__main__"}
    for cell in json.loads(pathlib.Path(sys.argv[1]).read_text()):
        exec(compile(cell, "docs/python.md", "exec"), scope)
    assert "prefect" not in sys.modules

asyncio.run(notebook())
"""
HEAVY = ("torch", "transformers", "prefect", "pandas", "datasets", "typer")


def cells() -> list[str]:
    """The page's code, in order."""
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_runs_as_a_notebook_runs_it(copied: Restem, project: Path) -> None:
    (project / "cells.json").write_text(json.dumps(cells()))
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, "cells.json"],
        cwd=project,
        env=copied.environment(),
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("steps: 0 run, ") == 2  # run, then resume
    assert "completed" in done.stdout and "report.html" in done.stdout
    assert "iterations: Input should be a valid integer" in done.stdout


def test_the_page_says_all_that_there_is() -> None:
    text = PAGE.read_text()
    shown = [name for name in flows.api.__all__ if name[0].islower() or name.endswith("Error")]
    assert [name for name in shown if name not in text] == []
    assert sorted(flows.api.__all__) == flows.api.__all__


def test_importing_is_light() -> None:
    program = f"import sys, restem.api; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_table_has_the_metrics_of_restem_status(here: Restem) -> None:
    said = {
        (one["iteration"], name, *metric.values())
        for one in here.status()["iterations"]
        for name, metric in one["metrics"].items()
    }
    table = read_run().metrics()
    assert list(table.columns) == ["iteration", "metric", "value", "low", "high", "problems"]
    assert set(table.itertuples(index=False, name=None)) == said
    assert len(said) == len(table) > 10


def test_the_samples_are_those_of_the_report(here: Restem, config: RestEmConfig) -> None:
    found = read_run()
    assert found.report is not None
    (folder,) = (here.home / "store" / "report").glob(f"*/{RunReport.FILE}")
    report = RunReport.read(folder.parent)
    drawn = list(found.samples(1))
    said = report.iterations[1].drawn
    assert said is not None
    assert Counter(sample.status for sample in drawn) == said.statuses
    assert {sample.iteration for sample in drawn} == {1}
    assert {sample.problem.split for sample in drawn} == {"train"}
    kinds = {(sample.status == "correct", sample.reward) for sample in drawn}
    assert kinds == {(True, 1.0), (False, 0.0)}
    places = {(sample.problem.id, sample.index) for sample in drawn}
    assert len(places) == len(drawn) == 192 * config.sampling.samples
    right = [sample for sample in drawn if sample.reward]
    assert all(sample.extracted == sample.problem.reference for sample in right)


def test_without_an_iteration_the_samples_are_of_all(here: Restem) -> None:
    greedy = Counter(sample.iteration for sample in read_run().samples(purpose="test"))
    assert greedy == {0: 128, 1: 128, 2: 128}


def test_policies_are_the_artifacts_of_the_run(here: Restem) -> None:
    found = read_run()
    folders = [found.policy(number) for number in range(3)]
    assert found.policy() == folders[2]
    assert len({(folder / "model.safetensors").read_bytes() for folder in folders}) == 3


def _samples(found: Run, *arguments: object) -> None:
    list(found.samples(*arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda found: read_run("no-such"), "RUN no-such: no such run; known: math-demo-"),
        (lambda found: resume("no-such"), "RUN no-such: no such run; known: math-demo-"),
        (lambda found: _samples(found, 0, "dream"), "purpose: dream: expected one of draw, pass@k"),
        (lambda found: _samples(found, 7), "iteration: 7: nothing was sampled for draw there"),
        (lambda found: found.policy(7), "the run's policies are 0 (its base) to 2"),
        (lambda found: run("nowhere.toml"), "nowhere.toml: no such file; expected a TOML file"),
        (lambda found: load_config("math-demo", ["seed=x"]), "seed: Input should be a valid"),
    ],
)
def test_a_mistake_is_one_line(here: Restem, do, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        do(read_run())
    assert "\n" not in str(caught.value)


def test_a_mistake_that_a_step_finds_is_what_the_verb_says(here: Restem, tmp_path: Path) -> None:
    changes = ["data.train=gsm8k", f"data.source={tmp_path / 'nothing'}"]
    flags = [part for change in changes for part in ("--set", change)]
    said = here("run", "math-demo", *flags, code=2).splitlines()[-1]
    with pytest.raises(UserError) as caught:
        run(load_config("math-demo", changes), quiet=True)
    assert said == f"restem: {caught.value}"


def test_a_process_that_dies_is_said(here: Restem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.api.running._CHILD", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(StepError, match="ended early, with signal 9; resume goes on with it"):
        run(load_config("math-demo", list(SMALL)))


def test_what_is_printed_goes_to_the_cell_or_nowhere(
    here: Restem, config: RestEmConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config)
    assert "steps: 0 run, " in capsys.readouterr().out
    run(config, quiet=True)
    assert capsys.readouterr().out == ""


def test_a_run_that_awaits_a_review_is_given_back(here: Restem, config: RestEmConfig) -> None:
    waiting = run(config.model_copy(update={"review": True}), quiet=True)
    assert waiting.state == "awaits review" and waiting.report is None
    assert set(waiting.metrics().iteration) == {0, 1}
    here("review", waiting.id, "--stop")
    assert resume(waiting.id, quiet=True).state == "completed"


def test_a_fresh_seed_is_another_run(here: Restem) -> None:
    tiny = ("iterations=1", "data.train_limit=8", "data.validation=0", "finetune.checks=0")
    fresh = load_config("math-demo", [*SMALL, *tiny, "fresh_seed=true"])
    assert run(fresh, quiet=True).config.seed != run(fresh, quiet=True).config.seed
