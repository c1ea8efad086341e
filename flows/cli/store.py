"""`restem store`: list, verify and clean the artifact store."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, parse_age, print_table, size_text

if TYPE_CHECKING:
    from tasks.store.garbage import Waste

store_app = typer.Typer(help="The artifact store.", no_args_is_help=True)
Address = Annotated[
    str, typer.Option("--store", help="Folder or address; empty: RESTEM_HOME/store.")
]


@store_app.command("list")
def store_list(as_json: AsJson = False, store: Address = "") -> None:
    """List the artifacts."""
    from flows.runs.store import in_quarantine, listing

    rows = listing(store)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
        return
    titles = ["kind", "key", "rows", "bytes", "seconds", "made by"]
    print_table(titles, [astuple(row) for row in rows])
    _say_quarantine(in_quarantine(store))


@store_app.command("verify")
def store_verify(
    as_json: AsJson = False,
    store: Address = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Of a remote store: compare sizes and ETags alone.")
    ] = False,
) -> None:
    """Check every artifact against its manifest; exit 1 if one is damaged."""
    from flows.runs.store import in_quarantine, verify_store

    found = verify_store(store, content=not quick)
    aside = in_quarantine(store)
    if as_json:
        also = {"quarantine": [asdict(one) for one in aside]} if aside else {}
        typer.echo(json.dumps({**asdict(found), **also}))
        raise typer.Exit(1 if found.damaged else 0)
    for line in (*found.damaged, *found.unfinished):
        typer.echo(line)
    also = f", {len(found.unfinished)} unfinished" if found.unfinished else ""
    typer.echo(
        f"{found.whole} whole, {len(found.damaged)} damaged{also} (a run rebuilds what it needs)"
    )
    _say_quarantine(aside)
    if found.damaged:
        raise typer.Exit(1)


def _say_quarantine(aside: list[Waste]) -> None:
    if aside:
        size = size_text(sum(one.bytes for one in aside))
        typer.echo(f"{len(aside)} damaged artifacts lie in quarantine, {size} (restem store gc)")


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
        bool, typer.Option("--others", help="Of a shared store: also what no home's roots name.")
    ] = False,
    older_than: Annotated[
        str, typer.Option(help="Spare what is younger, such as 90m, 24h or 7d; default: 24h.")
    ] = "",
    forget: Annotated[
        list[str] | None, typer.Option(help="A home that is gone for good: drop its roots.")
    ] = None,
) -> None:
    """Remove what no run of any home needs: artifacts, damage, uploads, drafts and checkpoints."""
    from flows.runs.garbage import collect

    age = parse_age(older_than, "--older-than") if older_than else None
    found = collect(keep or [], delete, store, others=others, older_than=age, forget=forget or [])
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    verb = "removed" if delete else "would remove"
    for location in found.garbage:
        typer.echo(f"{verb} {location}")
    for location in found.copies:
        typer.echo(f"{verb} copy {location}")
    for one in found.waste:
        typer.echo(f"{verb} {one.what} {one.name} ({size_text(one.bytes)})")
    for line in found.left:
        typer.echo(f"could not remove {line}")
    for one in found.homes:
        typer.echo(
            f"home {one.id} keeps what its runs need: {one.runs} of {one.path} on {one.host}"
        )
    if found.young:
        typer.echo(f"{found.young} that no run needs are not old enough to go (--older-than)")
    done = "removed" if delete else "to remove"
    also = f", and {len(found.copies)} copies on this machine" if found.copies else ""
    also += f", and {len(found.waste)} others" if found.waste else ""
    size = f" ({size_text(found.bytes)})" if found.bytes else ""
    typer.echo(f"{found.kept} kept, {len(found.garbage)} {done}{also}{size}")
    if found.left:
        raise typer.Exit(1)
