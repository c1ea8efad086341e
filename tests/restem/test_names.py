"""Names of ours and of the user's in one folder, one environment and one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import flows.api
import restem.api
from restem import PACKAGES
from tasks.paths import PACKAGE_PLACE, ROOT
from tasks.processes.functions import FunctionPool
from tasks.settings.filter import SCORE
from tasks.settings.find_function import find_function

YOURS = "import tasks.jobs, flows, sandbox"
OURS = "from restem.api import UserError, load_config; from restem.sandbox import TAG"
USED = """
assert tasks.jobs.YOURS == flows.YOURS == sandbox.YOURS == "yours"
import tasks.helpers
assert tasks.helpers.YOURS == "yours"
print(load_config("math-demo", ["seed=2"]).run_id)
try:
    load_config("math-demo", ["filter.score=tasks.jobs:nothing"])
except UserError as error:
    print(error)
"""


@pytest.fixture
def yours(tmp_path: Path) -> Path:
    """A folder with packages of the user's."""
    folder = tmp_path / "yours"
    for name in PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text('YOURS = "yours"\n')
        for module in ("jobs", "helpers"):
            (folder / name / f"{module}.py").write_text('YOURS = "yours"\n')
    return folder


def python(folder: Path, *words: str) -> str:
    """What Python prints that is started in a folder, which is first on its path."""
    path = os.pathsep.join([str(folder), str(PACKAGE_PLACE)])
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("first", [YOURS, OURS])
def test_a_script_has_both(yours: Path, first: str) -> None:
    then = OURS if first == YOURS else YOURS
    (yours / "script.py").write_text(f"{first}\n{then}\n{USED}")
    run, error = python(yours, "script.py").splitlines()
    assert run == flows.api.load_config("math-demo", ["seed=2"]).run_id
    assert "yours/tasks/jobs.py: it does not define nothing" in error


def test_the_program_is_ours_where_yours_are_first(yours: Path) -> None:
    assert python(yours, "-m", "restem", "--version").startswith("restem ")


@pytest.mark.slow
def test_the_flow_that_prefect_is_given_is_ours(yours: Path) -> None:
    told = "import restem.flow, flows; print(restem.flow.rest_em.name, flows.__file__)"
    name, file = python(yours, "-c", told).split()
    assert name == "rest-em" and Path(file).is_relative_to(ROOT)


@pytest.mark.parametrize("place", ["tasks.rewards:brief", "{folder}/mine.py:brief"])
def test_a_reward_has_your_packages(
    yours: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    text = "from tasks.jobs import YOURS\nimport flows, sandbox\n"
    text += "def brief(completion):\n    return float(YOURS == flows.YOURS == sandbox.YOURS)\n"
    for file in (yours / "tasks" / "rewards.py", yours / "mine.py"):
        file.write_text(text)
    # As a station has it: ours are first on the path of a run, for Prefect looks for them there.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(yours)]))
    monkeypatch.setattr(sys, "path", [str(ROOT), str(yours), *sys.path])
    function = find_function(SCORE, place.format(folder=yours))
    with FunctionPool(function, 1, 600.0) as pool:
        answer = pool.submit({"completion": ""}).result()
    assert (answer.value, answer.trace) == (1.0, "")


def test_from_python_there_is_what_flows_api_has() -> None:
    assert restem.api.__all__ == flows.api.__all__
    assert restem.api.run.__module__ == "restem.flows.api.running"
