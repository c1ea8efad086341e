"""docs/first-hour.md is true: each row's commands are run and print what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.paths import ROOT
from tests.flows.conftest import Restem, server  # noqa: F401 - fixture

PAGE = ROOT / "docs" / "first-hour.md"
# A row: number, task, commands and what they print.
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \| `(.+?)` \|$", re.MULTILINE)
COMMAND = re.compile(r"`([^`]+)`(?: \((killed|refused)\))?")
MOST_COMMANDS = 3
# The code under test, whatever is installed.
PROGRAM = """#!/bin/sh
exec "{python}" -P -c 'import sys; sys.argv[0] = "restem"
from flows.cli.main import main; main()' "$@"
"""

FILES = {
    "brief.py": """\
def brief(completion, grade):
    return grade.reward * (1 - 0.5 * min(1, len(completion) / 100))
""",
    "selector.py": """\
def shortest(candidates):
    return [min(candidates, key=lambda one: (one.length, one.index))]
""",
    "terse.toml": """\
name = "terse"
preamble = ""
example = "Problem: {question}\\nAnswer: {solution}\\n\\n"
query = "Problem: {question}\\nAnswer: "
stop = ["\\n"]
exemplars = []
""",
    "answers.jsonl": '{"gold": "1/2", "prediction": "so it is 0.5"}\n',
    "load.py": """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("policy")
model = AutoModelForCausalLM.from_pretrained("policy")
prompt = tokenizer("Q: Ann has 23 caps, finds 4, sells 3. How many?\\nA: ", return_tensors="pt")
answer = model.generate(**prompt, max_new_tokens=40, do_sample=False)
print(tokenizer.decode(answer[0], skip_special_tokens=True))
""",
    "read.py": """\
from restem.api import read_run

print(read_run("latest").metrics())
""",
    "shop.csv": "Text;Result\n"
    + "".join(
        f"Tom has {20 + n} cups, buys {2 + n % 7}, sells 3. How many?;{17 + n + 2 + n % 7}\n"
        for n in range(40)
    ),
}


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        commands: Each with how it ends, where that is not as a matter of course.
        prints: Is in what the last of them prints.
    """

    number: int
    task: str
    commands: list[tuple[str, str]]
    prints: str


ROWS = [
    Row(int(number), task, COMMAND.findall(commands), prints)
    for number, task, commands, prints in ROW.findall(PAGE.read_text(encoding="utf-8"))
]


@dataclass(frozen=True)
class Hour:
    """A folder in which somebody works, and the environment of their commands."""

    folder: Path
    home: Path
    env: dict[str, str]

    def run(self, script: str, code: int = 0) -> str:
        """What a command prints; its exit code must be `code`.

        The shell stays until the command has ended, as a person's does: completion looks at the
        process above it for the kind of shell.
        """
        done = subprocess.run(
            ["bash", "-c", f"{script}\nexit $?"],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=800,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def kill(self, command: str) -> None:
        """Start a command and kill it when it has sampled something."""
        before = set(self._steps())
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        while not any("generate" in path.read_text() for path in set(self._steps()) - before):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def _steps(self) -> Iterator[Path]:
        return (self.home / "runs").glob("*/steps.jsonl")


def hour_in(place: Path, api: str, python: Path) -> Hour:
    env = Restem(place / "home", api).environment()
    env["PATH"] = f"{python}:{Path(sys.executable).parent}:{env['PATH']}"
    env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "hf"), "SHELL": "/bin/bash"}
    return Hour(place / "mine", place / "home", env)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bin")
    (folder / "restem").write_text(PROGRAM.format(python=sys.executable))
    (folder / "restem").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def first(server: str, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """Where `restem init mine` and `restem run restem.toml` were run, once."""
    place = tmp_path_factory.mktemp("hour")
    hour = hour_in(place, server, programs)
    hour.folder.mkdir()
    hour.run("restem init . && restem run restem.toml")
    for name, text in FILES.items():
        (hour.folder / name).write_text(text)
    return place


@pytest.fixture
def hour(first: Path, server: str, programs: Path, tmp_path: Path) -> Hour:  # noqa: F811
    """A copy of it, which a row may change."""
    place = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(first), str(place)], check=True)
    return hour_in(place, server, programs)


def test_there_are_thirty_and_none_takes_more_than_three_commands() -> None:
    assert [row.number for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) >= 30
    for row in ROWS:
        assert 1 <= len(row.commands) <= MOST_COMMANDS, row
    assert all(f"`{name}`" in PAGE.read_text() for name in FILES)


@pytest.mark.engine
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}-{row.task}")
def test_a_row(hour: Hour, row: Row) -> None:
    said, place = "", ""
    for command, ends in row.commands:
        if command.startswith("cd "):
            place = f"{command} && "
        elif ends == "killed":
            hour.kill(place + command)
        else:
            said = hour.run(place + command, 2 if ends == "refused" else 0)
    assert row.prints in said
