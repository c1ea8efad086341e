"""`restem up`, `down` and `serve`: run what is started in Prefect's UI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Print the link that opens the UI; open no browser.")
]
Port = Annotated[int, typer.Option(help="Port of the UI.", min=1, max=65535)]


def up_command(
    port: Port = 4200,
    pages: Annotated[int, typer.Option(help="Port of the reports.", min=1, max=65535)] = 4201,
    no_browser: NoBrowser = False,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay until SIGTERM or Ctrl-C, then end all of it.")
    ] = False,
) -> None:
    """Start Prefect's UI, a worker and the reports in the background; a second time: show them."""
    from flows.server.address import StationNote

    def show(note: StationNote, deployments: list[str]) -> None:
        if foreground:  # a log is read by others, and the link is as good as a password
            typer.echo(f"UI: {note.address.removesuffix('/api')}; `restem up` shows the link")
        else:
            _show(note.address, no_browser)
        typer.echo(f"reports: {note.pages}")
        typer.echo("deployments:")
        for name in deployments:
            typer.echo(f"  {name}")

    if foreground:
        from flows.station.foreground import stay

        stay(port, pages, show)
    else:
        from flows.station.station import up as start

        show(*start(port, pages))


def down_command() -> None:
    """End what `restem up` started; runs in flight stop and can be resumed."""
    from flows.station.station import down as end

    typer.echo("down" if end() else "nothing was up")


def _show(address: str, no_browser: bool, also: str = "") -> None:
    """Open the UI in a browser, or print the link that does."""
    from flows.server.access import link
    from flows.station.open_ui import open_ui

    typer.echo(f"UI: {address.removesuffix('/api')}{also}")
    if not no_browser and open_ui(address):
        typer.echo("opened in your browser; --no-browser prints the link instead")
    else:
        typer.echo(f"open it by this link, and keep the link to yourself: {link(address)}")


def serve_command(port: Port = 4200, no_browser: NoBrowser = False) -> None:
    """Open Prefect's UI on this machine and run what is started there, until Ctrl-C."""
    from flows.server.address import read_note
    from flows.server.local import prefect_server

    with prefect_server(port) as address:
        from prefect import serve as serve_deployments

        from flows.config.rest_em import load_config
        from flows.rest_em.flow import rest_em
        from tasks.paths import ROOT

        # Runs start as processes of their own, in which the flow is found by this name; Prefect's
        # other way, to pickle the function, loses what its annotations mean.
        path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        parameters = {"config": load_config("math-demo").model_dump()}
        local = cast("RunnerDeployment", rest_em.to_deployment("local", parameters=parameters))
        local.entrypoint = "restem.flow.rest_em"
        if (note := read_note()) and address == note.address:
            _show(address, no_browser, "  (deployment rest-em/local)")
        else:  # a server of the user's own, of which we have no secret
            typer.echo(f"UI: {address.removesuffix('/api')}  (deployment rest-em/local)")
        serve_deployments(local, limit=1, print_starting_message=False)
