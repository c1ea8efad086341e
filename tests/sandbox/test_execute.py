"""`restem execute`: verdicts in the order of the input, and one line for each mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.verdict import Job
from tasks.errors import UserError
from tasks.score.execute_file import read_job

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "id": 1,
    "program": "print(int(input()) * 2)",
    "tests": [{"input": "3", "output": "6"}, {"input": "4", "output": "8\n"}],
}
CALLS = {"entry_point": "f", "cases": [{"args": [[3, 1]], "expected": [1, 3]}]}


def execute(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", "execute", str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_line_gets_its_verdict_in_order(image: str, tmp_path: Path):
    call = {"entry_point": "f", "cases": [{"args": [1, 2], "expected": 3}]}
    rows = [
        GOOD,
        {**GOOD, "id": "slow", "program": "while True: pass", "time_limit": 0.5},
        {**GOOD, "id": None, "program": "print(6)"},
        {"id": 4, "program": "def f(a, b): return a + b", "tests": call},
        {"id": 5, "program": "def f(a, b): return a + b", "tests": [call]},
        {**GOOD, "id": 6, "program": "x = bytearray(2**30)", "memory_mb": 64},
    ]
    file = tmp_path / "jobs.jsonl"
    file.write_text("\n\n".join(map(json.dumps, rows)))
    done = execute(file)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert [(r["status"], r["passed"], r["total"], r["first_failure"]) for r in found] == [
        ("correct", 2, 2, None),
        ("time_limit", 0, 2, 0),
        ("wrong_answer", 1, 2, 1),
        ("correct", 1, 1, None),
        ("correct", 1, 1, None),
        ("memory_limit", 0, 2, 0),
    ]
    assert all(row["seconds"] >= 0 for row in found)


def test_a_malformed_line_says_so_itself_and_the_rest_is_judged(image: str, tmp_path: Path):
    file = tmp_path / "jobs.jsonl"
    bad = {**GOOD, "id": "bad", "tests": [{"input": 3}]}
    lines = ["{}", json.dumps(GOOD), json.dumps(bad), json.dumps(GOOD), "{", "[" * 99999]
    file.write_text("\n".join(lines))
    done = execute(file)
    assert done.returncode == 2
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["status"]) for row in found] == [
        *((None, "malformed"), (1, "correct"), ("bad", "malformed")),
        *((1, "correct"), (None, "malformed"), (None, "malformed")),
    ]
    assert found[2]["line"] == 3 and '"output"' in found[2]["error"]
    assert done.stderr.startswith("restem: line 1: expected an object with")
    assert done.stderr.endswith(" (and 3 more such lines)\n")
    assert len(done.stderr.splitlines()) == 1


HEAD = 'def twice(x):\n    return x * 2\n\n\ndef f(x):\n    """Four times x."""\n'
CHECK = "def check(candidate):\n    assert candidate(3) == twice(6)\n"
CHECKED = {"entry_point": "f", "check": "def check(candidate):\n    assert candidate(3) == 12\n"}
HUMANEVAL = {"task_id": "H/1", "prompt": HEAD, "entry_point": "f", "test": CHECK}


def test_checks_are_taken_as_the_sandbox_and_as_humaneval_has_them(image: str, tmp_path: Path):
    rows = [
        {"id": 1, "program": "def f(x): return 4 * x", "tests": CHECKED},
        {"id": 2, "program": "def f(x): return 5 * x", "tests": CHECKED},
        {"id": 3, "program": HEAD + "    return 4 * x", "tests": {**CHECKED, "head": HEAD}},
        {**HUMANEVAL, "completion": "    return twice(twice(x))\n"},
        {**HUMANEVAL, "id": "own", "completion": "```python\ndef f(x):\n    return x\n```"},
        {"id": 4, "program": "def f(x): return x", "tests": {**CHECKED, "check": "check = 1 +"}},
    ]
    file = tmp_path / "jobs.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    done = execute(file)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["status"]) for row in found] == [
        *((1, "correct"), (2, "wrong_answer"), (3, "correct"), ("H/1", "correct")),
        *(("own", "wrong_answer"), (4, "sandbox_error")),
    ]


JUDGE = "print(6)\nassert int(input()) == 12"


def test_judges_talk_to_programs(image: str, tmp_path: Path):
    rows = [
        {"id": 1, "program": "print(int(input()) * 2)", "tests": {"judge": JUDGE, "inputs": [""]}},
        {"id": 2, "program": "print(int(input()) * 3)", "tests": {"judge": JUDGE, "inputs": [""]}},
        {"id": 3, "program": "int main() {}", "tests": GOOD["tests"], "language": "cpp"},
    ]
    file = tmp_path / "jobs.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    done = execute(file)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["status"] for row in found] == ["correct", "wrong_answer", "malformed"]
    assert found[2]["error"] == '"language": cpp needs another image; expected --image cpp'
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object"),
        (json.dumps({**GOOD, "program": 3}), '"program"'),
        (json.dumps({**GOOD, "tests": []}), '"tests"'),
        (json.dumps({**GOOD, "tests": [3]}), '"tests"'),
        (json.dumps({**GOOD, "tests": [{"input": "1"}]}), '"output"'),
        (json.dumps({**GOOD, "tests": {"entry_point": "f"}}), '"cases"'),
        (json.dumps({**GOOD, "tests": {"entry_point": "f", "cases": [{"args": 1}]}}), '"args"'),
        (json.dumps({**GOOD, "tests": {**CHECKED, "check": 1}}), '"check"'),
        (json.dumps({**GOOD, "tests": {**CHECKED, "entry_point": "f("}}), '"entry_point"'),
        (json.dumps(HUMANEVAL), '"completion"'),
        (json.dumps({**GOOD, "language": "c"}), '"language"'),
        (json.dumps({**GOOD, "language": "cpp", "tests": CHECKED}), "called in C"),
        (json.dumps({**GOOD, "tests": {"judge": "", "inputs": [""]}}), '"judge"'),
        (json.dumps({**GOOD, "tests": {"judge": "input()", "inputs": [3]}}), '"inputs"'),
        (json.dumps({**GOOD, "tests": {**CALLS, "in_place": 1}}), '"in_place"'),
        (json.dumps({**GOOD, "tests": {**CALLS, "in_place": True}}), '"in_place"'),
        (json.dumps({**GOOD, "time_limit": -1}), '"time_limit"'),
        (json.dumps({**GOOD, "memory_mb": 1e9}), '"memory_mb"'),
    ],
)
def test_a_mistake_names_its_field(line: str, said: str):
    with pytest.raises(UserError, match=said):
        read_job(line)


def test_the_defaults_are_the_sandboxs_own():
    _, job = read_job(json.dumps(GOOD))
    assert job == Job(job.program, job.tests)


def test_without_an_engine_one_line_says_what_to_do(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    file = tmp_path / "jobs.jsonl"
    file.write_text(json.dumps(GOOD))
    done = execute(file)
    assert done.returncode == 2
    assert "no Docker engine answers; install one" in done.stderr
    assert len(done.stderr.splitlines()) == 1
