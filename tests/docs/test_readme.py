"""README.md: its one file runs in an empty folder and prints what stands there; it stays short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tasks.paths import ROOT
from tests.docs.test_own import plain
from tests.flows.conftest import Restem, server  # noqa: F401 - fixture

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
FILE, SHOWN = re.findall(
    r"^```python\n# mine\.py\n(.*?)^```.*?^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL
)[0]
LINES = 190


@pytest.mark.engine
def test_the_one_file_runs_and_prints_what_stands_there(server: str, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "mine.py").write_text(FILE)
    env = Restem(tmp_path / "home", server).environment()
    env |= {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = {plain(line) for line in done.stdout.splitlines()}
    assert [line for line in SHOWN.splitlines() if plain(line) not in printed] == [], done.stdout
    before, after = re.findall(r"greedy ([\d.]+) \[[\d., ]+\] on 40 problems", done.stdout)
    assert float(after) > float(before) + 30
    [model] = re.findall(r"^the model: (.*)$", done.stdout, re.MULTILINE)
    assert (Path(model) / "model.safetensors").exists()
    assert set(os.listdir(folder)) - {"__pycache__"} == {"mine.py"}


def test_it_stays_short() -> None:
    assert len(PAGE.splitlines()) <= LINES


def test_the_citation_is_of_this_version() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (found["version"], found["license"]) == (project["version"], project["license"])
    assert found["references"][0]["title"] in PAGE
