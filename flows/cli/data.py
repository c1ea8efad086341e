"""`restem data`: look at problems before a run does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Changes, print_table

if TYPE_CHECKING:
    from flows.estimate.check_data import DataFacts, Prompt

data_app = typer.Typer(help="The problems of a run.", no_args_is_help=True)
# Failing rows and characters of a text that are printed; --json has all.
_MOST = 20
_WIDE = 300


@data_app.callback()
def _data() -> None:
    """The problems of a run."""


@data_app.command("check")
def data_check(
    source: Annotated[
        str, typer.Argument(help="A file, a folder or a Hub id; empty: that of --config.")
    ] = "",
    config: Annotated[
        str, typer.Option("--config", help="A configuration, of which the rest is taken.")
    ] = "",
    changes: Changes = None,
    first: Annotated[int, typer.Option(min=0, max=100, help="Problems to show.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Show how problems are read and asked; exit 1 if a reference fails its own checker."""
    from flows.estimate.check_data import check_data, data_config

    facts = check_data(data_config(source, config, changes or []), first)
    if as_json:
        typer.echo(json.dumps(facts.to_json()))
    else:
        _print(facts)
    if facts.not_checked or facts.failures:
        raise typer.Exit(1)


def _print(facts: DataFacts) -> None:
    print_table(["split", "problems"], list(facts.rows.items()))
    if facts.notes:
        typer.echo(facts.notes)
    for one in facts.places:
        counts = ", ".join(f"{count} {split}" for split, count in one.rows.items())
        typer.echo(f"\n{one.place}: {counts or 'no rows'}")
        for role, name in one.columns.items():
            typer.echo(f"  {role} = {name}")
        if one.others:
            typer.echo(f"  not used: {', '.join(one.others)}")
    for row in facts.first:
        typer.echo(f"\n{row['id']} ({row['domain']}, {row['split']})")
        typer.echo(f"  question: {_short(row['question'])}")
        typer.echo(f"  reference: {_short(row['reference'])}")
        if row["solution"]:
            typer.echo(f"  solution: {_short(row['solution'])}")
    typer.echo(f"\nprompt of {facts.prompt.id}, {_tokens(facts.prompt)}:\n{facts.prompt.text}")
    if facts.longest.id != facts.prompt.id:
        typer.echo(f"\nlongest question: {facts.longest.id}, {_tokens(facts.longest)}")
    if facts.no_tokens:
        typer.echo(f"tokens are not counted: {facts.no_tokens}")
    typer.echo("")
    for failure in facts.failures[:_MOST]:
        typer.echo(f"{failure.place}: {_short(failure.reference)}: {failure.status}")
    if len(facts.failures) > _MOST:
        typer.echo(f"and {len(facts.failures) - _MOST} more (--json has all)")
    if facts.not_checked:
        typer.echo(f"references were not checked: {facts.not_checked}")
        return
    typer.echo(f"{facts.passed} of {facts.tried} references pass their own checker")
    if facts.untried:
        typer.echo(f"{facts.untried} problems have no solution to try")


def _tokens(prompt: Prompt) -> str:
    return f"{len(prompt.text)} characters" + (
        "" if prompt.tokens is None else f", {prompt.tokens} tokens"
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"
