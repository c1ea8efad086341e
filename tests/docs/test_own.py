"""docs/own.md is true: its files are written and its commands run, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.api import load_config
from flows.api.new_project import new_project
from tasks.paths import ROOT
from tests.flows.conftest import Restem, server  # noqa: F401 - fixture

PAGE = ROOT / "docs" / "own.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d[\d,.]*")
# The code under test, whatever is installed.
RESTEM = """#!/bin/sh
exec "{python}" -P -m flows.cli "$@"
"""


def blocks() -> list[tuple[str, str]]:
    """The page's blocks: language (`text`: what is printed) and text."""
    return BLOCK.findall(PAGE.read_text())


def script() -> str:
    """What a person does who follows the page."""
    lines = ["set -e"]
    for kind, text in blocks():
        if kind == "sh":
            lines.append(text)
        elif kind != "text":
            name = text.splitlines()[0].removeprefix("# ")
            lines.append(f"cat > {name} <<'END'\n{text}END")
    return "\n".join(lines)


def plain(line: str) -> str:
    """A line without its numbers and its width."""
    return " ".join(NUMBER.sub("0", line).split())


@pytest.mark.engine
def test_a_stranger_gets_through_the_page(server: str, tmp_path: Path) -> None:  # noqa: F811
    folder, programs, home = (tmp_path / name for name in ("empty", "bin", "home"))
    folder.mkdir()
    programs.mkdir()
    (programs / "restem").write_text(RESTEM.format(python=sys.executable))
    (programs / "restem").chmod(0o755)
    env = Restem(home, server).environment()
    env["PATH"] = f"{programs}:{Path(sys.executable).parent}:{env['PATH']}"
    env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        ["bash", "-c", script()],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = {plain(line) for line in done.stdout.splitlines()}
    shown = [line for kind, text in blocks() if kind == "text" for line in text.splitlines()]
    lost = [line for line in shown if plain(line) not in printed]
    assert lost == [], done.stdout
    before, after = re.findall(r"greedy ([\d.]+) \[[\d., ]+\] on 40 problems", done.stdout)[:2]
    assert float(after) > float(before) + 30
    assert set(os.listdir(folder)) == {"mine"}


def test_the_configurations_of_the_page_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_project(tmp_path)
    found = {text.splitlines()[0].removeprefix("# "): text for kind, text in blocks()}
    for name in ("rewards.py", "shop.toml", "big.toml"):
        (tmp_path / name).write_text(found[name])
    (tmp_path / "shop.csv").write_text("Text;Result\n")
    monkeypatch.chdir("/")
    for name in ("restem.toml", "shop.toml", "big.toml"):
        config = load_config(tmp_path / name)
        assert Path(config.data.source).parent == tmp_path
        assert config.data.columns.reference in ("total", "Result")
