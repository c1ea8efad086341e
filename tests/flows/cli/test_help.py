"""Help, version and completion: what a person asks before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from flows.cli.main import VERBS, app
from tasks.paths import ROOT

WIDE = {"TERMINAL_WIDTH": "100", "NO_COLOR": "1"}


def asked(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), env=WIDE)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_version() -> None:
    from importlib.metadata import version

    assert asked("--version") == f"restem {version('restem')}\n"


def test_every_verb_stands_in_its_group() -> None:
    text = asked("-h")
    places = [text.index(f"─ {panel} ─") for panel in ("Run", "Look", "Check", "Keep")]
    assert places == sorted(places)
    for (panel, verbs), start, end in zip(
        VERBS.items(), places, [*places[1:], len(text)], strict=True
    ):
        for verb in verbs:
            assert f"│ {verb} " in text[start:end], (panel, verb)


def _paths() -> list[tuple[str, ...]]:
    root = typer.main.get_command(app)
    found: list[tuple[str, ...]] = []

    def walk(command: object, path: tuple[str, ...]) -> None:
        found.append(path)
        for name, one in getattr(command, "commands", {}).items():
            walk(one, (*path, name))

    walk(root, ())
    return found


@pytest.mark.parametrize("path", _paths(), ids=" ".join)
def test_short_help_everywhere(path: tuple[str, ...]) -> None:
    assert "Usage:" in asked(*path, "-h")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_for_a_shell(shell: str) -> None:
    script = completed(_RESTEM_COMPLETE=f"source_{shell}")
    assert f"_RESTEM_COMPLETE=complete_{shell}" in script and "restem" in script


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("restem sta", ["status"]),
        ("restem resume lat", ["latest"]),
        ("restem run math-d", ["math-demo"]),
        ("restem run math --set sampling.temp", ["sampling.temperature="]),
    ],
)
def test_what_is_completed(words: str, found: list[str]) -> None:
    said = completed(COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
    assert said.split() == found


def completed(*arguments: str, **variables: str) -> str:
    """What `restem` says to a shell, by the name under which it is installed."""
    code = "import sys; sys.argv[0] = 'restem'; from flows.cli.main import main; main()"

    more = {"_RESTEM_COMPLETE": "complete_bash", **variables} if variables else {}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
