"""`restem store`: list, verify and clean the artifact store."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple
from typing import Annotated

import typer

from flows.cli.options import AsJson, print_table

store_app = typer.Typer(help="The artifact store.", no_args_is_help=True)
Address = Annotated[
    str, typer.Option("--store", help="Folder or address; empty: RESTEM_HOME/store.")
]


@store_app.command("list")
def store_list(as_json: AsJson = False, store: Address = "") -> None:
    """List the artifacts."""
    from flows.runs.store import listing

    rows = listing(store)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
        return
    titles = ["kind", "key", "rows", "bytes", "seconds", "made by"]
    print_table(titles, [astuple(row) for row in rows])


@store_app.command("verify")
def store_verify(
    as_json: AsJson = False,
    store: Address = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Of a remote store: compare sizes and ETags alone.")
    ] = False,
) -> None:
    """Check every artifact against its manifest; exit 1 if one is damaged."""
    from flows.runs.store import verify_store

    found = verify_store(store, content=not quick)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        raise typer.Exit(1 if found.damaged else 0)
    for line in (*found.damaged, *found.unfinished):
        typer.echo(line)
    also = f", {len(found.unfinished)} unfinished" if found.unfinished else ""
    typer.echo(
        f"{found.whole} whole, {len(found.damaged)} damaged{also} (a run rebuilds what it needs)"
    )
    if found.damaged:
        raise typer.Exit(1)


@store_app.command("sign")
def store_sign(
    as_json: AsJson = False,
    store: Address = "",
    again: Annotated[
        bool, typer.Option("--again", help="Also what another key has signed.")
    ] = False,
) -> None:
    """Verify every artifact and sign it with the key of RESTEM_STORE_KEY_FILE."""
    from flows.runs.sign_store import sign_store

    found = sign_store(store, again=again)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        raise typer.Exit(1 if found.damaged else 0)
    for line in found.damaged:
        typer.echo(line)
    for location in found.otherwise:
        typer.echo(f"{location}: signed by another key; --again signs it with this one")
    typer.echo(
        f"{found.signed} signed, {found.before} signed before, {len(found.otherwise)} by another "
        f"key, {len(found.damaged)} damaged and not signed"
    )
    if found.damaged:
        raise typer.Exit(1)


@store_app.command("gc")
def store_gc(
    keep: Annotated[list[str] | None, typer.Option(help="Runs to keep; default: all.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete, not only list.")] = False,
    as_json: AsJson = False,
    store: Address = "",
    others: Annotated[
        bool, typer.Option("--others", help="Of a remote store: also what other machines made.")
    ] = False,
) -> None:
    """Remove artifacts that no kept run reaches, and copies of what a remote store has no more."""
    from flows.runs.store import collect

    found = collect(keep or [], delete, store, others=others)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    verb = "removed" if delete else "would remove"
    for location in found.garbage:
        typer.echo(f"{verb} {location}")
    for location in found.copies:
        typer.echo(f"{verb} copy {location}")
    copies = f", and {len(found.copies)} copies on this machine" if found.copies else ""
    done = "removed" if delete else "to remove"
    typer.echo(f"{found.kept} kept, {len(found.garbage)} {done}{copies}")
