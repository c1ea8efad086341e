"""`restem export`: a policy or data of a run, to a folder or to the Hub."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from flows.cli.complete import known_runs
from flows.cli.options import AsJson


def export_command(
    run: Annotated[
        str,
        typer.Argument(help="RUN or RUN:ITERATION, such as latest:2.", autocompletion=known_runs),
    ],
    to: Annotated[str, typer.Option(help="A folder, or hub:NAME.")],
    data: Annotated[
        Literal["rows", "samples", "pairs"] | None,
        typer.Option(help="Export data as Parquet in place of the policy."),
    ] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Export the LoRA adapter alone.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Of a repository that is made on the Hub.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Export a policy, training rows, samples or pairs, with a card."""
    from flows.api.export.export import export

    place = export(run, to, data=data, adapter=adapter, private=private)
    typer.echo(json.dumps({"exported": place}) if as_json else f"exported: {place}")
