"""docs/export.md: every command and every piece of code in it runs, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.paths import ROOT
from tests.flows.api.hub_server import TOKEN, Hub, serving
from tests.flows.conftest import Restem, finished, server  # noqa: F401 - fixtures

BLOCK = re.compile(r"^```(sh|python|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as found:
        yield found


def test_what_the_page_shows_works(finished: Restem, hub: Hub, tmp_path: Path) -> None:  # noqa: F811
    folder, home = tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    subprocess.run(["cp", "-a", str(finished.home), str(home)], check=True)
    env = {
        **Restem(home, finished.api).environment(),
        "HF_ENDPOINT": hub.address,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "hf"),
    }
    commands = 0
    for kind, text in BLOCK.findall((ROOT / "docs" / "export.md").read_text()):
        if kind == "json":
            (folder / "rollouts.jsonl").write_text(text)
        elif kind == "python":
            run([sys.executable, "-c", text], folder, {**env, "HF_ENDPOINT": ""})
        else:
            for line in text.splitlines():
                name, *arguments = line.split()
                assert name == "restem"
                run([sys.executable, "-m", "flows.cli", *arguments], folder, env)
                commands += 1
    assert commands == 9
    made = {"policy", "policy-1", "rows", "samples", "pairs", "rollouts.jsonl"}
    assert set(os.listdir(folder)) == made
    assert set(hub.repositories) == {"models/me/policy", "datasets/me/rows"}


def run(command: list[str], folder: Path, env: dict[str, str]) -> None:
    env = {name: value for name, value in env.items() if value}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
