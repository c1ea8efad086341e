"""The example of CONTRIBUTING.md is true: applied to a copy of the repository, it works there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.paths import ROOT

pytestmark = pytest.mark.slow

PAGE = ROOT / "CONTRIBUTING.md"
PARTS = ("bench", "restem", "flows", "tasks", "sandbox", "pyproject.toml")


def blocks(kind: str) -> list[str]:
    """The page's code of a language, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code to which the example is applied."""
    folder = tmp_path_factory.mktemp("contributing") / "restem"
    folder.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    for change in blocks("diff"):
        subprocess.run(
            ["git", "apply"],
            cwd=folder,
            # Inside a checkout git would look for the files at its root.
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(folder)},
            input=change.encode(),
            check=True,
        )
    for text in blocks("python"):
        path = folder / text.splitlines()[0].removeprefix("# ")
        assert not path.exists()
        path.parent.mkdir(parents=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return folder


def run(copy: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_example_pass(copy: Path) -> None:
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/tasks/statuses")


def test_the_example_keeps_the_layers(copy: Path) -> None:
    run(copy, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache")


def test_the_example_is_as_ruff_wants_it(copy: Path) -> None:
    run(copy, "-m", "ruff", "check", "tasks/statuses", "tests")
    run(copy, "-m", "ruff", "format", "--check", "tasks/statuses", "tests")
