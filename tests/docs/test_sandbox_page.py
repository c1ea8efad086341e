"""docs/sandbox.md: its code and its lines run in the sandbox."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from tasks.paths import ROOT

PAGE = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    [text] = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return text


@pytest.mark.usefixtures("image")
def test_the_code_runs_a_program(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(block("python"))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "page.py")],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "ProgramStatus.CORRECT" in done.stdout and "passed=1, total=1" in done.stdout


@pytest.mark.usefixtures("image")
def test_every_line_is_judged_correct(tmp_path: Path) -> None:
    (tmp_path / "programs.jsonl").write_text(block("json"))
    done = CliRunner().invoke(app, ["execute", str(tmp_path / "programs.jsonl")])
    assert done.exit_code == 0, done.output
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["status"] for one in said] == ["correct"] * block("json").count("\n")
