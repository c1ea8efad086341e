"""A model that cannot be used as a run will use it is refused at the dry run and at its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.config.rest_em import RestEmConfig, load_config
from flows.estimate.plan import plan
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop
from tasks.errors import UserError
from tasks.paths import MODELS, ROOT
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
        from tasks.policy.step import base_call

        caller.call(base_call(chosen.model), 0, "base model")
    with pytest.raises(UserError, match=SAYS):
        plan(chosen)


@pytest.mark.engine
def test_of_a_hub_id_the_configuration_alone_is_read(tmp_path: Path) -> None:
    commit = "0" * 40
    cache = tmp_path / "hf" / "hub" / "models--some--model"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(commit)
    (cache / "snapshots" / commit).mkdir(parents=True)
    raw = json.loads((MODELS / "tiny-math" / "config.json").read_text())
    (cache / "snapshots" / commit / "config.json").write_text(json.dumps(raw))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "flows.cli", "run", "math-demo", "--dry-run"),
            *("--set", "model.base=some/model", "--set", WRONG[0]),
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
