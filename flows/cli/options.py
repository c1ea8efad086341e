"""Options and printing that several verbs share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_table(titles: list[str], rows: list[list[Any]]) -> None:
    """Print rows under titles."""
    from flows.report.tables import plain_table

    typer.echo(plain_table(titles, rows))
