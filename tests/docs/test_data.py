"""docs/data.md is true: its file is read as it says, and mistakes are said in its words."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.data import data_app
from flows.config.rest_em import RestEmConfig, load_config
from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.problems.loading import prepare_splits
from tasks.problems.own.columns import USUAL_NAMES
from tasks.settings import ColumnSettings, DataSettings

PAGE = (ROOT / "docs" / "data.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's file, in which its commands are run."""
    (tmp_path / "problems.csv").write_text(blocks("csv")[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_check_finds_nothing_wrong(folder: Path, home: Path) -> None:
    command = shlex.split(blocks("bash")[0])
    assert command[:2] == ["restem", "data"]
    said = CliRunner().invoke(data_app, command[2:])
    assert said.exit_code == 0, said.output
    assert "5 of 5 references pass their own checker" in said.output
    assert "subject = Kind" in said.output


def test_the_run_and_the_configuration_ask_for_the_same_problems(folder: Path) -> None:
    command = shlex.split(blocks("bash")[1])
    assert command[:3] == ["restem", "run", "math-demo"] and set(command[3::2]) == {"--set"}
    by_command = load_config("math-demo", command[4::2]).data
    by_file = RestEmConfig.model_validate(tomllib.loads(blocks("toml")[0])).data
    made = [prepare_splits(one) for one in (by_command, by_file)]
    for splits in made:
        assert {name: len(rows) for name, rows in splits.items()} == {
            **{"train": 3, "validation": 1, "test": 1}
        }
    assert [row["id"] for row in made[0]["train"]] == [row["id"] for row in made[1]["train"]]


def test_more_sets_are_as_the_page_has_them() -> None:
    config = RestEmConfig.model_validate(tomllib.loads(blocks("toml")[1]))
    assert [(one.train, one.domain, one.weight) for one in config.data.more] == [
        ("file", "text", 1.0),
        ("gsm8k", "math", 0.25),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "problems.csv",
            "Problem,Final answer\n" + "".join(f"{n}?,{n}\n" for n in range(5)) + "a,\n",
        ),
        ("problems.csv", "Problem,Final answer\n0?,0\n1?,1\n2?,2\n3?,3\n4?,4\n5?,5\n6?,6\n1?,1\n"),
        (
            "problems.jsonl",
            "".join(f'{{"question": "{n}?", "answer": {n}}}\n' for n in range(11))
            + '{"question": "a", "answer": true}\n',
        ),
    ],
)
def test_what_is_refused_is_refused_in_these_words(name: str, content: str, folder: Path) -> None:
    (folder / name).write_text(content)
    with pytest.raises(UserError) as caught:
        prepare_splits(DataSettings(train="file", source=name))
    assert f"restem: {caught.value}" in blocks("text")[0].splitlines()


def test_every_role_and_its_usual_names_are_listed() -> None:
    for role in ColumnSettings.model_fields:
        assert f"`{role}`" in PAGE
    for role in ("question", "tests", "entry_point", "starter_code", "options"):
        (line,) = re.findall(rf"^\| `{role}` \| ([^|]*) \|", PAGE, re.MULTILINE)
        assert tuple(line.split(", ")) == USUAL_NAMES[role]
