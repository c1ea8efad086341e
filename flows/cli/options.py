"""Options, arguments and printing that several verbs share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from flows.cli.complete import known_configurations, known_fields, known_runs
from tasks.errors import UserError

_AGE = re.compile(r"(\d{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change a field, such as sampling.samples=16; may be repeated.",
        autocompletion=known_fields,
    ),
]
Rebuild = Annotated[
    bool,
    typer.Option("--rebuild", help="Make again what an emptied or another store has lost."),
]
Config = Annotated[
    str,
    typer.Argument(
        help="A TOML file, or a name of `restem configs`.", autocompletion=known_configurations
    ),
]
RunId = Annotated[
    str, typer.Argument(help="Run id, its beginning, or `latest`.", autocompletion=known_runs)
]


def print_table(titles: list[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under titles."""
    from flows.report.tables import plain_table

    typer.echo(plain_table(titles, [list(row) for row in rows]))


def parse_age(text: str, option: str) -> float:
    """A length of time such as 90m, 24h or 7d, in seconds.

    Raises:
        UserError: naming the option.
    """
    found = _AGE.fullmatch(text)
    if found is None:
        raise UserError(f"{option} {text}: expected a time such as 0, 90m, 24h or 7d")
    return float(int(found[1]) * _SECONDS[found[2]])


def size_text(size: int) -> str:
    """A number of bytes as a person reads it."""
    value = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
