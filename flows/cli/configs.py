"""`restem configs`: the configurations that there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, print_table


def configs_command(
    folder: Annotated[
        Path, typer.Argument(help="With files of your own; default: where you are.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """List configurations: your own, and those of restem by name, with a line on each."""
    from flows.config.listing import list_configs

    found = list_configs(folder)
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found]))
        return
    verbs = {"run": "run", "evaluate": "evaluate --config"}
    rows = [[verbs[one.verb], one.name, one.about] for one in found]
    print_table(["restem", "configuration", "about"], rows)
