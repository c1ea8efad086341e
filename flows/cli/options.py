"""Options, arguments and printing that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a field, such as sampling.samples=16; may be repeated."),
]
Rebuild = Annotated[
    bool,
    typer.Option("--rebuild", help="Make again what an emptied or another store has lost."),
]
RunId = Annotated[str, typer.Argument(help="Run id, its beginning, or `latest`.")]


def print_table(titles: list[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under titles."""
    from flows.report.tables import plain_table

    typer.echo(plain_table(titles, [list(row) for row in rows]))
