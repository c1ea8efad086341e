"""`restem compare`: finished runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson
from tasks.errors import UserError

# Longer names of files are cut by file systems or refused.
_LONGEST_NAME = 150


def compare_command(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="RUN (its last policy) or RUN:ITERATION, two or more; RUN may be `latest`. The "
            "others are compared with the first."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The page; default: RESTEM_HOME/compare/….html.")
    ] = None,
    flips: Annotated[
        int, typer.Option(help="Newly solved and newly lost problems to show, each.", min=0)
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Compare finished runs on the problems they share, with paired statistics and what flipped."""
    from flows.compare.flow import compare_runs
    from flows.compare.page import render
    from flows.compare.tables import comparison_text

    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise UserError(f"--out {out}: expected a file in a folder that is there")
    found = compare_runs(runs or [], flips)
    page = (out or _page([one.label for one in found.policies])).absolute()
    page.write_text(render(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({**found.to_json(), "page": str(page)}))
        return
    typer.echo(f"{comparison_text(found)}\n\npage: {page}")


def _page(labels: list[str]) -> Path:
    """Where the page of a comparison lies: the same policies, the same file."""
    from tasks.dag.runtime import home
    from tasks.store.store import digest_of

    name = "_".join(label.replace(":", "-p") for label in labels)
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{digest_of(labels)[:8]}"
    folder = home() / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.html"
