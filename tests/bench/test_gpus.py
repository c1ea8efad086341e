"""`python -m bench.gpus`: what is asked wrongly is one line, what is planned is a table."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tasks.paths import ROOT


def planned(*flags: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench.gpus", *flags], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model", "8b"], "--model 8b: expected one of: 7b, 70b, 540b"),
        (["--gpu", "b200"], "--gpu b200: expected one of: h100, a100"),
        (["--task", "gsm8k"], "--task gsm8k: expected one of: math, apps"),
        (["--set", "sample=3"], "--set sample=3: expected KEY=NUMBER"),
    ],
)
def test_a_plan_of_what_is_not_known(flags: list[str], said: str) -> None:
    text = planned(*flags, code=2)
    assert said in text and text.count("\n") == 1


def test_a_plan_is_printed() -> None:
    small = ["--task", "apps", "--set", "problems=100", "--set", "test=50", "--set", "sampled=20"]
    rows = json.loads(planned("--model", "70b", "--gpus", "8", *small, "--json"))
    assert [(row["gpus"], row["engines"], row["method"]) for row in rows] == [(8, 2, "lora")]
    assert rows[0]["gpu_hours"] == pytest.approx(8 * rows[0]["hours"])
    text = planned("--model", "70b", "--gpus", "8", "--gpus", "64", *small, "--sweep")
    assert text.splitlines()[0].split()[:3] == ["model", "GPUs", "64"]
    assert len(text.splitlines()) == 3
