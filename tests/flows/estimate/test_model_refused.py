"""A model that cannot be used as a run will use it is refused at the dry run and at its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.config.evaluate import load_evaluation
from flows.config.rest_em import RestEmConfig, load_config
from flows.estimate.plan import plan
from flows.evaluate.flow import Evaluation
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop
from tasks.errors import UserError
from tasks.paths import MODELS, ROOT
from tasks.policy.step import base_call
from tasks.settings import ModelSettings
from tests.small import SMALL
from tests.tasks.finetune.finetune_parts import make_start

WRONG = ["sampling.max_tokens=256"]  # as many as the model has positions
SAYS = r"^sampling\.max_tokens: 256 tokens do not fit into the model's 256 positions"


def config(*changes: str) -> RestEmConfig:
    return load_config("math-demo", [*SMALL, *changes])


def stored(home: Path) -> list[str]:
    return sorted(one.parent.parent.name for one in (home / "store").glob("*/*/manifest.json"))


@pytest.mark.parametrize("base", ["embedded:tiny-math", "a folder"])
def test_at_the_dry_run(base: str, tmp_path: Path) -> None:
    named = base if base.startswith("embedded") else str(make_start(tmp_path / "model"))
    with pytest.raises(UserError, match=SAYS):
        plan(config(f"model.base={named}", *WRONG))


def test_at_the_start_of_a_run_and_nothing_is_paid_for() -> None:
    chosen = config(*WRONG)
    with pytest.raises(UserError, match=SAYS), DirectCaller(chosen) as caller:
        Loop(chosen, caller).run()
    assert stored(Path(os.environ["RESTEM_HOME"])) == ["problems"]


def test_a_teacher_is_looked_at_too(tmp_path: Path) -> None:
    teacher = make_start(tmp_path / "model")
    (teacher / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"^sampling\.teacher: there are no weights"):
        plan(config(f"sampling.teacher={teacher}"))


def test_what_is_planned_again_after_the_model_was_brought_is_refused_as_well() -> None:
    chosen = config(*WRONG)
    with DirectCaller(config()) as caller:
        caller.call(base_call(chosen.model), 0, "base model")
    with pytest.raises(UserError, match=SAYS):
        plan(chosen)


def svamp(folder: Path) -> Path:
    """Its test problems are one, whose prompt with 160 tokens is too long for the tiny model."""
    row = {"Body": "Ann has 2 apples.", "Question": "How many?", "Equation": "2", "Answer": 2}
    file = folder / "svamp.jsonl"
    file.write_text(json.dumps({"ID": "a", "Type": "Addition", **row}) + "\n")
    return file


def test_for_the_benchmarks_of_transfer_too(tmp_path: Path) -> None:
    other = 'evaluation.transfer=["svamp"]'
    source = f"evaluation.transfer_sources.svamp={svamp(tmp_path)}"
    with pytest.raises(UserError, match=r"^evaluation\.transfer: svamp: .* other benchmarks$"):
        plan(config(other, source))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, r"^max_tokens\.svamp: the shortest prompt has \d+ tokens, and with 160 more"),
        ({"max_tokens": {"svamp": 300}}, r"^max_tokens\.svamp: 300 tokens do not fit"),
        ({"prompts": {"svamp": "chat"}}, r"^prompts\.svamp: chat needs a model with a chat temp"),
        ({"against": "a folder"}, r"^against: there are no weights"),
    ],
)
def test_at_the_start_of_an_evaluation(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    if "against" in change:
        change = {"against": str(make_start(tmp_path / "model")), "max_tokens": {"svamp": 8}}
        change["prompts"] = {"svamp": "tiny_math"}
        (tmp_path / "model" / "model.safetensors").unlink()
    sources = {"sources": {"svamp": str(svamp(tmp_path))}}
    asked = load_evaluation("", {"on": ["svamp"], **sources, **change})
    with pytest.raises(UserError, match=says), DirectCaller(config()) as caller:
        Evaluation(asked, caller).run()
    assert set(stored(Path(os.environ["RESTEM_HOME"]))) <= {"problems"}


def test_a_policy_that_is_there_already_is_looked_at_before_it_is_sampled(tmp_path: Path) -> None:
    asked = load_evaluation("", {"on": ["svamp"], "sources": {"svamp": str(svamp(tmp_path))}})
    with DirectCaller(config()) as caller:
        caller.call(base_call(ModelSettings(base=asked.model), "model"), 1, "policy")
        with pytest.raises(UserError, match=r"^max_tokens\.svamp: the shortest prompt"):
            Evaluation(asked, caller).run()
    assert set(stored(Path(os.environ["RESTEM_HOME"]))) == {"model", "problems"}


@pytest.mark.engine
@pytest.mark.parametrize("revision", ["", "@v1"])
def test_of_a_hub_id_the_configuration_alone_is_read(revision: str, tmp_path: Path) -> None:
    commit = "0" * 40
    cache = tmp_path / "hf" / "hub" / "models--some--model"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / (revision[1:] or "main")).write_text(commit)
    (cache / "snapshots" / commit).mkdir(parents=True)
    raw = json.loads((MODELS / "tiny-math" / "config.json").read_text())
    (cache / "snapshots" / commit / "config.json").write_text(json.dumps(raw))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "flows.cli", "run", "math-demo", "--dry-run"),
            *("--set", f"model.base=some/model{revision}", "--set", WRONG[0]),
        ],
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "sampling.max_tokens: 256 tokens do not fit" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.engine
def test_a_model_that_is_not_here_yet_is_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "flows.cli", "run", "math-demo", "--dry-run"),
            *("--set", "model.base=some/model"),
        ],
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "warning: model.base: some/model is looked at when it is here" in done.stdout
