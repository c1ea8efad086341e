"""`restem runs`: the runs of this home, and how they are deleted."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import typer

from flows.cli.complete import known_runs
from flows.cli.options import AsJson, print_table, size_text
from tasks.errors import UserError

runs_app = typer.Typer(help="List the runs; `restem runs delete` removes some.")


@runs_app.callback(invoke_without_command=True)
def runs_list(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Those with this in their id.")] = "",
    state: Annotated[
        list[str] | None,
        typer.Option(help="completed, failed, interrupted, running or 'awaits review'."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Those with this in their configuration, such as sampling.samples=8."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs, the newest first; `restem runs delete` removes some."""
    if context.invoked_subcommand:
        return
    from flows.report.values import duration
    from flows.runs.listing import RunFilter, list_runs

    found = list_runs(RunFilter(name, state or [], where or []))
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found]))
        return
    if not found:
        typer.echo("no such run" if name or state or where else "no run yet: restem run CONFIG")
        return
    rows = [
        [
            one.run,
            one.flow,
            one.state,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(one.started)),
            "" if one.seconds is None else duration(one.seconds),
        ]
        for one in found
    ]
    print_table(["run", "flow", "state", "started", "took"], rows)


@runs_app.command("delete")
def runs_delete(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run ids or their beginnings.", metavar="RUN...", autocompletion=known_runs
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, and how large it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete runs, with what only they hold in the store; asks before it does."""
    from flows.runs.removal import remove_runs

    found = remove_runs(runs, delete=False)
    if not as_json:
        for run in found.runs:
            typer.echo(run)
        count = len(found.artifacts)
        typer.echo(
            f"{count} artifact{'s'[: count != 1]} of the store that no other run needs, "
            f"{size_text(found.bytes)} with the run's own files; "
            f"{found.shared} that other runs need stay"
        )
        for store in found.far:
            typer.echo(f"what they hold in {store} stays: restem store gc --store {store} --others")
    if dry_run:
        if as_json:
            typer.echo(json.dumps(found.to_json()))
        return
    if not yes:
        if not asks():
            raise UserError("--yes: expected it where nobody can be asked")
        if not typer.confirm("Delete them?", err=True):
            raise UserError("nothing was deleted")
    done = remove_runs(runs, delete=True)
    if as_json:
        typer.echo(json.dumps(done.to_json()))
    else:
        typer.echo(f"deleted, {size_text(done.bytes)}")
    for line in done.left:
        typer.echo(f"could not remove {line}", err=True)
    if done.left:
        raise typer.Exit(1)


def asks() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()
