"""`restem service`: the station as a service of systemd."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from flows.cli.options import AsJson

service_app = typer.Typer(help="The station as a service of systemd.", no_args_is_help=True)
System = Annotated[bool, typer.Option("--system", help="Of the machine, not of this user.")]
Port = Annotated[int, typer.Option(help="Port of the UI.", min=1, max=65535)]
Pages = Annotated[int, typer.Option(help="Port of the reports.", min=1, max=65535)]


@service_app.command("install")
def service_install(
    port: Port = 4200,
    pages: Pages = 4201,
    system: System = False,
    user: Annotated[str, typer.Option(help="With --system: who it runs as.")] = "",
    no_start: Annotated[
        bool, typer.Option("--no-start", help="Write the unit and leave systemd alone.")
    ] = False,
) -> None:
    """Start the station with the machine, and again when it fails."""
    from flows.station.service import install, service
    from tasks.dag.runtime import home

    one = service(home(), port, pages, system=system, user=user)
    for line in install(one, start=not no_start):
        typer.echo(line)


@service_app.command("remove")
def service_remove(system: System = False) -> None:
    """End the service and take its unit away; the home stays."""
    from flows.station.service import remove, service
    from tasks.dag.runtime import home

    there = remove(service(home(), 4200, 4201, system=system))
    typer.echo("removed" if there else "there was no service")


@service_app.command("status")
def service_status(system: System = False, as_json: AsJson = False) -> None:
    """Say whether there is a service, and whether it runs."""
    from flows.server.address import station
    from flows.station.service import service, state
    from tasks.dag.runtime import home

    one = service(home(), 4200, 4201, system=system)
    note = station()
    facts = {
        "unit": str(one.file),
        "installed": one.file.is_file(),
        "state": state(one),
        "station": note.address.removesuffix("/api") if note else "",
    }
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"unit: {one.file}{'' if facts['installed'] else ' (not installed)'}")
    typer.echo(f"systemd says: {facts['state']}")
    typer.echo(f"station: {facts['station'] or 'not up'}")
