"""The Pythons that restem runs on: one list, and a line for whoever has none of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from scripts.lock import PLATFORMS
from tasks.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = SpecifierSet(PROJECT["requires-python"])
SUPPORTED = [f"3.{minor}" for minor in range(30) if WANTED.contains(f"3.{minor}.0")]


def pythons(*words: str) -> list[str]:
    """What scripts/pythons.sh prints."""
    command = [str(ROOT / "scripts" / "pythons.sh"), *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")


def test_all_that_name_them_name_the_same() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == SUPPORTED
    assert sorted({one["python_version"] for one in PLATFORMS}) == SUPPORTED
    assert [line.split(" ")[0] for line in pythons("false") if line] == SUPPORTED
    words = f"{SUPPORTED[0]} to {SUPPORTED[-1]}"
    for file in ("Makefile", "README.md", "CONTRIBUTING.md", "docs/supply.md"):
        assert words in (ROOT / file).read_text(), file
    table = re.findall(
        r"^\| (3\.[\d., ]+) \|", (ROOT / "docs/install.md").read_text(), re.MULTILINE
    )
    assert ", ".join(table).split(", ") == SUPPORTED


def test_one_that_is_named_is_looked_at() -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = dict(line.split(" ") for line in pythons(sys.executable) if line)
    assert found == {**dict.fromkeys(SUPPORTED, ""), here: sys.executable}


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment in which there is no Python."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "sed", "grep", "dirname", "mkdir", "env", "touch"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}


def test_a_set_up_without_one_says_so(nowhere: dict[str, str], tmp_path: Path) -> None:
    make = shutil.which("make")
    assert make
    for given, said in ((), "venv; make PYTHON="), (("PYTHON=python2",), "venv, not python2; "):
        command = [make, "setup", f"VENV={tmp_path / 'venv'}", *given]
        done = subprocess.run(command, cwd=ROOT, env=nowhere, capture_output=True, text=True)
        assert done.returncode and done.stdout == ""
        line = done.stderr.splitlines()[0]
        assert line.startswith(
            f"setup: expected a Python of {SUPPORTED[0]} to {SUPPORTED[-1]} with"
        )
        assert said in line and not (tmp_path / "venv").exists()


def test_a_check_of_all_says_which_are_not_here(nowhere: dict[str, str]) -> None:
    done = subprocess.run(
        [str(ROOT / "scripts" / "check_all.sh")], env=nowhere, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.splitlines() == [
        f"Python {version}: not tested, it is not on this machine" for version in SUPPORTED
    ]
