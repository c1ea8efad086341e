"""Whole small runs that improve by preferences, by extremes, and by policy gradient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.config.rest_em import load_config
from tasks.errors import UserError
from tests.flows.conftest import Restem

NOTES = (
    "iterations=1",
    "data.train_limit=64",
    "data.test_limit=32",
    "data.validation=16",
    "evaluation.samples=0",
    "evaluation.sampled_problems=0",
    "evaluation.train_problems=0",
    "judge.labels=people",
    "filter.select=threshold",
    "finetune.batch_size=32",
    "finetune.epochs=1",
    "reward.epochs=1",
    "resources.threads=1",
    "resources.train_batch_size=32",
)
RL = ("finetune.improve=rl", "finetune.generations=2")


class Notes:
    """The notes demo, made small, in a home of its own."""

    def __init__(self, restem: Restem) -> None:
        self._restem = restem

    def run(self, *changes: str) -> list[dict[str, Any]]:
        """The journal of a run with these changes."""
        flags = [part for change in (*NOTES, *changes) for part in ("--set", change)]
        self._restem("run", "notes-demo", *flags)
        return self._restem.status()["steps"]

    def artifact(self, steps: list[dict[str, Any]], name: str) -> Path:
        """The folder of the one step of this name."""
        (made,) = [step for step in steps if step["step"] == name]
        return self.folder(made)

    def folder(self, step: dict[str, Any]) -> Path:
        """The folder of what a step made."""
        return self._restem.home / "store" / step["artifact"]

    @property
    def page(self) -> str:
        """Of the run that was the last to end."""
        pages = self._restem.home.glob("runs/*/report.html")
        return max(pages, key=lambda one: one.stat().st_mtime).read_text()


@pytest.fixture(scope="module")
def notes(server: str, tmp_path_factory: pytest.TempPathFactory) -> Notes:
    return Notes(Restem(tmp_path_factory.mktemp("notes") / "home", server))


def states(steps: list[dict[str, Any]]) -> set[str]:
    return {step["state"] for step in steps}


def test_preferences_are_trained_on_with_their_labels_and_without_a_reward_model(
    notes: Notes,
) -> None:
    changes = ("finetune.improve=dpo", "finetune.pairs=preferences", "reward.by=checker")
    steps = notes.run(*changes)
    names = {step["step"] for step in steps}
    assert "compare draw" in names
    assert not {"fit", "rate draw"} & names
    rows = pq.read_table(notes.artifact(steps, "select") / "rows.parquet").to_pylist()
    assert {round(row["p"], 3) for row in rows} == {0.667, 1.0}  # of three people
    facts = json.loads((notes.artifact(steps, "finetune") / "training.json").read_text())
    assert facts["rows"] == len(rows) > 0
    assert states(notes.run(*changes)) == {"Cached"}


def test_extremes_take_the_rewards_of_the_model_that_was_fitted(notes: Notes) -> None:
    steps = notes.run("finetune.improve=dpo", "finetune.pairs=extremes", "filter.cap=1")
    rows = pq.read_table(notes.artifact(steps, "select") / "rows.parquet").to_pylist()
    problems = [row["problem_id"] for row in rows]
    assert len(problems) == len(set(problems)) > 0
    (rated,) = [step for step in steps if step["step"] == "rate draw"]
    verdicts = pq.read_table(notes.folder(rated) / "verdicts.parquet")
    reward = {(one["problem_id"], one["index"]): one["reward"] for one in verdicts.to_pylist()}
    for row in rows:
        here = [value for (name, _), value in reward.items() if name == row["problem_id"]]
        assert reward[row["problem_id"], row["index"]] == max(here)


def test_policy_gradient_on_a_reward_model_goes_through_and_is_found_again(notes: Notes) -> None:
    steps = notes.run(*RL)
    assert {"fit", "rate draw", "prompts", "finetune"} <= {step["step"] for step in steps}
    assert "select" not in {step["step"] for step in steps}
    facts = json.loads((notes.artifact(steps, "finetune") / "training.json").read_text())
    rewards = [entry["sampled_reward"] for entry in facts["history"] if "loss" in entry]
    assert len(rewards) == facts["steps"] == 4
    assert all(0 < one < 1 for one in rewards)
    assert "reward of its samples" in notes.page
    assert states(notes.run(*RL)) == {"Cached"}


def test_policy_gradient_on_the_checker_asks_it_and_fits_nothing(notes: Notes) -> None:
    steps = notes.run(*RL, "reward.by=checker", "finetune.temperature=0.7")  # as it is drawn
    assert not {"fit", "compare draw"} & {step["step"] for step in steps}
    facts = json.loads((notes.artifact(steps, "finetune") / "training.json").read_text())
    (drawn,) = [step for step in steps if step["step"] == "score draw"]
    verdicts = pq.read_table(notes.folder(drawn) / "verdicts.parquet")
    mean = sum(verdicts.column("reward").to_pylist()) / verdicts.num_rows
    rewards = [entry["sampled_reward"] for entry in facts["history"] if "loss" in entry]
    assert sum(rewards) / len(rewards) == pytest.approx(mean, abs=0.12)  # of 128 samples


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (["finetune.improve=rl", "filter.select=best"], "finetune.improve: rl draws its own"),
        (["finetune.improve=rl", "filter.weight=reward"], "finetune.improve: rl draws its own"),
        (["finetune.improve=rl", "resources.train_processes=2"], "resources.train_processes: rl"),
        (["finetune.improve=rl", "finetune.generations=5"], "finetune.batch_size: 12 samples"),
        (["finetune.improve=rl", "finetune.max_length=40"], "finetune.max_length: samples of 40"),
        (["finetune.improve=rl", "filter.rewards=[{reward='correct'}]"], "filter.rewards: rl asks"),
        (["finetune.improve=rl", "reward.by=judge"], "judge.model: no model is named that judges"),
        (["finetune.improve=rl", "reward.by=model"], "judge.model: no model is named that judges"),
        (
            ["finetune.improve=rl", 'finetune.trainer_args=["activation_offloading=true"]'],
            "finetune.trainer_args: activation_offloading is not of finetune.improve = rl",
        ),
        (["finetune.pairs=extremes"], "finetune.pairs: extremes is of finetune.improve = dpo"),
        (
            ["finetune.improve=dpo", "finetune.pairs=preferences", "reward.by=judge"],
            "finetune.pairs: a judge that gives rewards",
        ),
        (
            ["finetune.improve=dpo", "finetune.pairs=preferences"],
            "judge.model: no model is named that judges; expected one, or other labels",
        ),
        (
            [
                "finetune.improve=dpo",
                "finetune.pairs=preferences",
                "judge.labels=oracle",
                'finetune.trainer_args=["loss_type=ipo"]',
            ],
            "finetune.trainer_args: loss_type is of hard labels",
        ),
    ],
)
def test_what_does_not_go_together_is_said_in_one_line(changes: list[str], field: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", changes)
    assert field in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_new_fields_at_their_default_stand_in_no_key() -> None:
    plain = load_config("math-demo", ["finetune.improve=dpo"])
    same = load_config(
        "math-demo",
        [
            "finetune.improve=dpo",
            "finetune.pairs=verdicts",
            "finetune.generations=2",
            "finetune.temperature=0.9",
        ],
    )
    assert plain.run_id == same.run_id
    names = {"pairs", "generations", "temperature"}
    assert not names & {*plain.finetune.recipe(), *plain.finetune.described()}
