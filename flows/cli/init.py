"""`restem init`: a project of one's own to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init_command(
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.", metavar="FOLDER")],
) -> None:
    """Write a small project of your own: configuration, problems, reward and prompt, to be run."""
    from flows.api.new_project import CONFIG, new_project

    for path in new_project(folder):
        typer.echo(path)
    typer.echo(f"run it: cd {folder} && restem run {CONFIG}")
