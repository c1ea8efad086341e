"""Bad data of one's own are refused before anything is started, in the words of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.api.new_project import new_project
from flows.cli.main import app
from flows.config.rest_em import load_config
from flows.estimate.early import refuse_bad_data
from tasks.errors import UserError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    new_project(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("text,total\n", "problems.csv"),
        ("words,total\nHow many?,3\n", "text"),
        ('text,total\n"How many?",\n', "row"),
    ],
)
def test_a_file(project: Path, text: str, said: str) -> None:
    (project / "problems.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        refuse_bad_data(load_config(project / "restem.toml"))


def test_a_file_that_is_not_there(project: Path) -> None:
    (project / "problems.csv").unlink()
    with pytest.raises(UserError, match=r"problems\.csv"):
        refuse_bad_data(load_config(project / "restem.toml"))


def test_good_data_and_data_of_others_pass(project: Path) -> None:
    refuse_bad_data(load_config(project / "restem.toml"))
    refuse_bad_data(load_config("gsm8k"))  # on the Hub: nothing is asked of it here


def test_the_command_starts_nothing(project: Path, home: Path) -> None:
    (project / "problems.csv").write_text("words,total\nHow many?,3\n")
    done = CliRunner().invoke(app, ["run", str(project / "restem.toml")])
    assert isinstance(done.exception, UserError)
    assert not (home / "prefect").exists() and not list(home.glob("runs/*/run.json"))
