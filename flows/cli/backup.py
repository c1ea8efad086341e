"""`restem backup` and `restem restore`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson


def backup_command(
    target: Annotated[Path, typer.Argument(help="A new folder, or a new .tar or .tar.gz.")],
    store: Annotated[bool, typer.Option("--store", help="With RESTEM_HOME/store.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy runs, records and Prefect's database, also while the station works."""
    from flows.station.backup import backup

    found = backup(target, store=store)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    for line in found.left_out:
        typer.echo(f"left out: {line}")
    typer.echo(f"{target}: {found}")


def restore_command(
    source: Annotated[Path, typer.Argument(help="What `restem backup` made.")],
    as_json: AsJson = False,
) -> None:
    """Put a back-up into RESTEM_HOME, which must have nothing of it yet."""
    from flows.station.restore import restore
    from tasks.dag.runtime import home

    found = restore(source)
    typer.echo(json.dumps(asdict(found)) if as_json else f"{home()}: {found}")
