"""`restem init`: what it writes, and where nothing. That it runs: tests/docs/test_own.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.api import load_config
from flows.api.new_project import FILES, new_project
from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.prompts import load_template


def init(folder: Path | str, cwd: Path, code: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "init", str(folder)],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_verb_writes_all_files_and_says_what_is_next(tmp_path: Path) -> None:
    said = init("deep/mine", tmp_path, 0)
    assert sorted(path.name for path in (tmp_path / "deep/mine").iterdir()) == sorted(FILES)
    assert said.splitlines()[-1] == "run it: cd deep/mine && restem run restem.toml"


def test_every_file_of_the_template_is_written() -> None:
    there = {path.name for path in (ROOT / "flows/api/project").iterdir() if path.is_file()}
    assert there == set(FILES)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert [path.name for path in new_project(tmp_path)] == list(FILES)


def test_paths_of_the_configuration_begin_at_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_project(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    config = load_config("mine/restem.toml")
    assert config.data.source == str(tmp_path / "mine/problems.csv")
    assert config.filter.score == f"{tmp_path / 'mine/reward.py'}:shows_steps"
    assert load_template(config.model.prompt).name == "own"


def test_a_prompt_beside_us_is_taken_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of older path fields is in run ids, so it stays as it was."""
    new_project(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    assert load_config("restem.toml").model.prompt == "prompt.toml"


def test_its_problems_are_all_read(tmp_path: Path) -> None:
    from tasks.problems.loading import prepare_splits

    new_project(tmp_path)
    splits = prepare_splits(load_config(tmp_path / "restem.toml").data)
    assert {split: len(rows) for split, rows in splits.items()} == {
        **{"train": 32, "validation": 8, "test": 24}
    }


@pytest.mark.parametrize("name", ["full", "file", "file/below", "dangling"])
def test_where_something_lies_nothing_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "reward.py").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "there")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=f"{tmp_path / name}: .*expected") as caught:
        new_project(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "full" / "reward.py").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    said = init("/proc/1/mine", tmp_path, 2)
    assert said.startswith("restem: /proc/1/mine: ") and len(said.splitlines()) == 1
