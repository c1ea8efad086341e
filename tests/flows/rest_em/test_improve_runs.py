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
from tests.flows.rest_em.direct_run import Ran

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


class Improved:
    """The notes demo, made small and run in this process."""

    def __init__(self, *changes: str) -> None:
        self.run = Ran(load_config("notes-demo", [*NOTES, *changes]))
        self.names = {group for group, _ in self.run.done}

    def folder(self, name: str) -> Path:
        """What the one step of this name made."""
        (made,) = [ref for group, ref in self.run.done if group == name]
        return self.run.store.path(made)

    def rows(self, name: str, file: str) -> list[dict[str, Any]]:
        """Rows of what the one step of this name made."""
        return pq.read_table(self.folder(name) / file).to_pylist()

    def training(self) -> dict[str, Any]:
        """Facts of the fine-tune."""
        return json.loads((self.folder("finetune") / "training.json").read_text())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all runs here: what they have in common is made once."""
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(home))


@pytest.mark.engine
def test_preferences_are_trained_on_with_their_labels_and_without_a_reward_model() -> None:
    changes = ("finetune.improve=dpo", "finetune.pairs=preferences", "reward.by=checker")
    found = Improved(*changes)
    assert "compare draw" in found.names
    assert not {"fit", "rate draw"} & found.names
    rows = found.rows("select", "rows.parquet")
    assert {round(row["p"], 3) for row in rows} == {0.667, 1.0}  # of three people
    assert found.training()["rows"] == len(rows) > 0


@pytest.mark.engine
def test_extremes_take_the_rewards_of_the_model_that_was_fitted() -> None:
    found = Improved("finetune.improve=dpo", "finetune.pairs=extremes", "filter.cap=1")
    rows = found.rows("select", "rows.parquet")
    problems = [row["problem_id"] for row in rows]
    assert len(problems) == len(set(problems)) > 0
    verdicts = found.rows("rate draw", "verdicts.parquet")
    reward = {(one["problem_id"], one["index"]): one["reward"] for one in verdicts}
    for row in rows:
        here = [value for (name, _), value in reward.items() if name == row["problem_id"]]
        assert reward[row["problem_id"], row["index"]] == max(here)


def test_policy_gradient_on_a_reward_model_goes_through_and_is_found_again(
    server: str, home: Path
) -> None:
    restem = Restem(home, server)

    def run() -> list[dict[str, Any]]:
        flags = [part for change in (*NOTES, *RL) for part in ("--set", change)]
        restem("run", "notes-demo", *flags)
        return restem.status()["steps"]

    steps = run()
    names = {step["step"] for step in steps}
    assert {"fit", "rate draw", "prompts", "finetune"} <= names and "select" not in names
    (made,) = [step for step in steps if step["step"] == "finetune"]
    facts = json.loads((home / "store" / made["artifact"] / "training.json").read_text())
    rewards = [entry["sampled_reward"] for entry in facts["history"] if "loss" in entry]
    assert len(rewards) == facts["steps"] == 4
    assert all(0 < one < 1 for one in rewards)
    (page,) = home.glob("runs/*/report.html")
    assert "reward of its samples" in page.read_text()
    assert {step["state"] for step in run()} == {"Cached"}


@pytest.mark.engine
def test_policy_gradient_on_the_checker_asks_it_and_fits_nothing() -> None:
    # The temperature is that of the draw.
    found = Improved(*RL, "reward.by=checker", "finetune.temperature=0.7")
    assert not {"fit", "compare draw"} & found.names
    verdicts = found.rows("score draw", "verdicts.parquet")
    mean = sum(row["reward"] for row in verdicts) / len(verdicts)
    rewards = [one["sampled_reward"] for one in found.training()["history"] if "loss" in one]
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
