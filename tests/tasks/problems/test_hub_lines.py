"""A data set of the Hub with a loading script gives its JSON lines; the script is never run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.paths import ROOT
from tests.flows.api.hub_server import serving

ROW = {
    "question_content": "Print the input.",
    "public_test_cases": json.dumps([{"input": "1", "output": "1", "testtype": "stdin"}]),
    "private_test_cases": "",
    "metadata": "{}",
}
SCRIPT = b"raise SystemExit('the script was run')\n"


def check(home: Path, files: dict[str, bytes], *more: str) -> subprocess.CompletedProcess[str]:
    with serving() as hub:
        hub.repositories["datasets/org/bench"] = files
        # No engine, so that only the reading is tried.
        given = {"HF_ENDPOINT": hub.address, "HF_HOME": str(home / "hf"), "RESTEM_HOME": str(home)}
        ran = [sys.executable, "-m", "flows.cli", "data", "check", "org/bench"]
        more = ("--set", "data.domain=code", "--set", "data.validation=0", *more)
        return subprocess.run(
            [*ran, *more],
            cwd=ROOT,
            env={**os.environ, **given, "DOCKER_HOST": f"unix://{home}/none.sock"},
            capture_output=True,
            text=True,
            check=False,
        )


def lines(*names: str) -> bytes:
    rows = [{**ROW, "question_id": name, "question_content": f"Print {name}."} for name in names]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.slow
def test_its_lines_are_read_and_its_script_is_not_run(tmp_path: Path) -> None:
    files = {"bench.py": SCRIPT, "test.jsonl": lines("a", "b"), "test2.jsonl": lines("c")}
    done = check(tmp_path, files, "--set", "data.train_split=test", "--json")
    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout)["rows"] == {"train": 2, "validation": 0, "test": 1}
    assert "the script was run" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_script_without_lines_is_said(tmp_path: Path) -> None:
    done = check(tmp_path, {"bench.py": SCRIPT})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "restem: data.source: org/bench has a loading script, which is not run, and no file of JSON"
    )
