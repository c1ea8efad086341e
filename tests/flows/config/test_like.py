"""Configurations that are like another one, and those of methods: a few lines, and no flow."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from flows.config.rest_em import load_config
from tasks.errors import UserError
from tasks.paths import CONFIGS

METHODS = sorted(
    path.stem for path in CONFIGS.glob("*.toml") if "\nlike = " in path.read_text(encoding="utf-8")
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_fields_of_its_own_stand_above_those_of_the_other(tmp_path: Path) -> None:
    write(tmp_path, "one.toml", 'like = "math-demo"\nname = "one"\n[filter]\ncap = 3\n')
    path = write(tmp_path, "two.toml", 'like = "one.toml"\n[filter]\nmin_reward = 0.5\n')
    found, plain = load_config(path), load_config("math-demo")
    assert (found.name, found.filter.cap, found.filter.min_reward) == ("one", 3, 0.5)
    assert found.sampling == plain.sampling and found.data == plain.data
    assert load_config(path, ["filter.cap=7"]).filter.cap == 7


def test_paths_begin_at_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    write(tmp_path / "far", "own.csv", "question,answer\na,1\n")
    there = write(
        tmp_path / "far", "there.toml", '[data]\ntrain = "own"\nsource = "own.csv"\ntest = "none"\n'
    )
    path = write(tmp_path, "here.toml", 'like = "far/there.toml"\n')
    raw = tomllib.loads(there.read_text(encoding="utf-8"))
    assert raw["data"]["source"] == "own.csv"
    from flows.config.run_file import read_config

    assert read_config(path)[0]["data"]["source"] == str(tmp_path / "far" / "own.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("like = 3\n", "like: expected the name"),
        ('like = "no-such"\n', "no such file"),
        ('like = "self.toml"\n', "like itself"),
        ('like = "math-demo"\n[filter]\ncup = 3\n', "no such field"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, "self.toml", text)
    with pytest.raises(UserError, match=said) as caught:
        load_config(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_a_few_fields_of_the_demo_and_names_its_paper(name: str) -> None:
    text = (CONFIGS / f"{name}.toml").read_text(encoding="utf-8")
    assert re.search(r"\d{4}\.\d{5}|et al\., 20|rlhf-book", text)
    assert "Expected" in text or "A control" in text
    raw = tomllib.loads(text)
    changed = [part for part in raw.values() if isinstance(part, dict)]
    assert 1 <= sum(map(len, changed)) <= 6
    assert load_config(name).run_id != load_config("math-demo").run_id


def test_there_are_as_many_methods_as_the_documents_say() -> None:
    assert len(METHODS) == 15
