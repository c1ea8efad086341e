"""Imported samples in a run: scored, selected, trained on and traced like drawn ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.api.imports.imports import check_import, import_rollouts
from flows.config.rest_em import RestEmConfig, load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.iterations import Iteration
from flows.rest_em.loop import Loop
from tasks.errors import UserError
from tasks.problems.step import load_splits
from tasks.rows import ROWS_FILE, SAMPLES_FILE, VERDICTS_FILE, Row, read_rows
from tasks.store.store import ArtifactRef, Store
from tests.small import SMALLEST

CHANGES = (
    *SMALLEST,
    "evaluation.train_problems=0",
    "iterations=1",
    "resources.threads=1",
    "resources.shard_problems=16",
    "resources.shard_samples=2",
)


def config(*changes: str) -> RestEmConfig:
    return load_config("math-demo", [*CHANGES, *changes])


class Ran:
    """A run of the loop straight in this process."""

    def __init__(self, settings: RestEmConfig) -> None:
        with DirectCaller(settings) as caller:
            found = Loop(settings, caller).run()
            self.store: Store = caller.store
            self.done = caller.done
        self.warnings = found.warnings
        self.problems = load_splits(self.store.path(found.problems))["train"]
        self.first: Iteration = found.iterations[0]
        self.policies = len(found.iterations)

    def rows(self, refs: list[ArtifactRef], file: str) -> list[Row]:
        return [row for ref in refs for row in read_rows(self.store.path(ref) / file)]

    @property
    def trained(self) -> list[tuple[str, str, int]]:
        assert self.first.selection is not None
        rows = self.rows([self.first.selection], ROWS_FILE)
        return [(row["prompt"], row["completion"], row["index"]) for row in rows]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("imports")
        patch.setenv("RESTEM_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def drawn(shared: Path) -> Ran:
    """A run that samples its own."""
    return Ran(config())


@pytest.fixture(autouse=True)
def of_all(shared: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(shared))


def write(path: Path, ran: Ran, **more: Any) -> Path:
    """The samples of a run as rollouts in the form of verifiers, the problems in turned order."""
    asked = {row["id"]: row["question"] for row in ran.problems}
    rows = sorted(
        ran.rows(ran.first.drawn.samples, SAMPLES_FILE),
        key=lambda row: (row["problem_id"], row["index"]),
        reverse=False,
    )
    with path.open("w") as file:
        for row in rows:
            line = {
                "prompt": [{"role": "user", "content": f"  {asked[row['problem_id']]}\n"}],
                "completion": [{"role": "assistant", "content": row["text"]}],
                "is_truncated": row["finish"] == "length",
                "reward": float(row["index"] == 2),
                **more,
            }
            file.write(json.dumps(line) + "\n")
    return path


@pytest.mark.engine
def test_a_run_on_imported_samples_trains_on_what_a_run_that_drew_them_does(
    drawn: Ran, tmp_path: Path
) -> None:
    import_rollouts(write(tmp_path / "drawn.jsonl", drawn), "drawn")
    fits = check_import("drawn", config())
    assert (fits.rollouts, fits.matched, fits.beyond, fits.problems) == (96, 96, 0, 24)
    ran = Ran(config("sampling.teacher=import:drawn"))
    assert ran.trained == drawn.trained
    assert len(ran.trained) > 0
    assert ran.policies == 2
    assert ran.warnings == []
    teacher = next(ref for group, ref in ran.done if group == "teacher")
    samples = ran.rows(ran.first.drawn.samples, SAMPLES_FILE)
    assert {(row["model"], row["seed"]) for row in samples} == {(teacher.digest, -1)}


@pytest.mark.engine
def test_kept_scores_are_the_rewards_and_the_verdicts_stay_the_checkers(
    drawn: Ran, tmp_path: Path
) -> None:
    import_rollouts(write(tmp_path / "drawn.jsonl", drawn), "scored", keep_scores=True)
    ran = Ran(config("sampling.teacher=import:scored", "filter.finished_only=false"))
    assert {index for _, _, index in ran.trained} == {2}
    now = ran.rows(ran.first.drawn.verdicts, VERDICTS_FILE)
    before = drawn.rows(drawn.first.drawn.verdicts, VERDICTS_FILE)
    assert [row["status"] for row in now] == [row["status"] for row in before]
    assert {(row["index"] == 2, row["reward"]) for row in now} == {(True, 1.0), (False, 0.0)}


@pytest.mark.engine
def test_what_of_an_import_is_not_used_is_said(drawn: Ran, tmp_path: Path) -> None:
    path = write(tmp_path / "drawn.jsonl", drawn)
    kept = path.read_text().splitlines()[4:]  # one problem's samples are missing
    other = json.dumps({"question": "Of nobody?", "completion": "5"})
    path.write_text("\n".join([*kept, other]))
    import_rollouts(path, "partly")
    ran = Ran(config("sampling.teacher=import:partly", "sampling.samples=3"))
    assert ran.warnings == [
        "import:partly: 1 rollouts belong to no training problem",
        "import:partly: 23 rollouts are beyond sampling.samples = 3 of their problem",
        "import:partly: 1 training problems have no rollout",
    ]


@pytest.mark.engine
def test_samples_that_fit_no_problem_stop_the_run_before_it_pays(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(json.dumps({"question": "Of nobody?", "completion": "5"}))
    import_rollouts(path, "other")
    with pytest.raises(UserError, match="none of its 1 rollouts has the id or the question"):
        Ran(config("sampling.teacher=import:other"))


@pytest.mark.engine
def test_a_name_that_nobody_imported_is_said_with_those_there_are() -> None:
    with pytest.raises(UserError, match="nothing was imported as 'unknown'; expected one of"):
        Ran(config("sampling.teacher=import:unknown"))
