"""Texts of others that a command prints: none of them commands the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.report.page import plain
from flows.report.values import clean
from flows.runs.journal import Journal
from tasks.paths import ROOT

# Clears the screen, names the window, writes from the right, and a C1 form of the first.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202etxt\x9b2Jend\rover"
SHOWN = "\\x1b]0;owned\\x07\\u202etxt\\x9b2Jend"


def _restem(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments], cwd=ROOT, capture_output=True, timeout=600
    )
    said = done.stdout.decode() + done.stderr.decode()
    assert not set("\x1b\x07\x9b\u202e\r") & set(said), repr(said)
    return done.returncode, said


def test_a_runs_error_and_warnings(home: Path) -> None:
    journal = Journal("hostile", {}, "evaluate")
    journal.warn(HOSTILE)
    journal.end("failed", error=HOSTILE)
    code, said = _restem("status", "hostile")
    assert code == 0
    assert SHOWN in said


@pytest.mark.slow
def test_questions_and_references_of_a_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "problems.jsonl"
    row = {"id": HOSTILE, "question": HOSTILE, "reference": HOSTILE, "split": "train"}
    file.write_text(
        json.dumps(row) + "\n" + json.dumps(row | {"id": "b", "question": HOSTILE + "?"}) + "\n",
        encoding="utf-8",
    )
    _, said = _restem("data", "check", str(file), "--set", "data.test_share=0.5")
    assert "\\x1b" in said


@pytest.mark.engine
@pytest.mark.parametrize("name", ["\x1b[2J", "\u202etxt", "a\rb", "\udcff"])
def test_names_of_files_in_an_error(home: Path, tmp_path: Path, name: str) -> None:
    code, said = _restem("run", str(tmp_path / name))
    assert code == 2
    assert said.startswith("restem: ") and said.count("\n") == 1


def test_a_folder_of_a_damaged_run(home: Path) -> None:
    folder = home / "runs" / "\x1b[2Jbad"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{", encoding="utf-8")
    code, said = _restem("status", "latest")
    assert code == 2
    assert "run \\x1b[2Jbad is passed over: " in said


def test_texts_of_a_report() -> None:
    """HTML is escaped by its template; here are what a browser and Prefect's markdown obey."""
    shown = clean(HOSTILE)
    assert not set("\x1b\x07\x9b\u202e\r") & set(shown)
    hostile = "![x](http://evil/x.png) <script>alert(1)</script> [a](javascript:b) | `c` # d\n# e"
    safe = plain(hostile)
    assert "<" not in safe and "\n" not in safe
    for sign in "[]|`#":
        assert all(safe[at - 1] == "\\" for at, c in enumerate(safe) if c == sign)
