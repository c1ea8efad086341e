"""`restem label`: people label pairs of a run's samples."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, RunId, print_table
from flows.cli.station import NoBrowser
from tasks.errors import UserError

if TYPE_CHECKING:
    from flows.audit.label.session import LabelState
    from tasks.evaluate.intervals import Interval


def label_command(
    run: RunId = "latest",
    iteration: Annotated[
        int | None,
        typer.Option(help="Number of the policy that drew the samples; the last that did.", min=0),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the page; 0: any.", min=0, max=65535)] = 4210,
    person: Annotated[
        str, typer.Option(help="Who labels; you, by the name that you have here.")
    ] = "",
    pairs: Annotated[int, typer.Option(help="Most pairs to label; 0: all.", min=0)] = 100,
    out: Annotated[
        Path | None,
        typer.Option(help="File of the labels of all people; labels.jsonl in the run's folder."),
    ] = None,
    no_browser: NoBrowser = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Print who agrees with whom, and serve no page.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which of two samples is better, pair by pair, on a page of this machine."""
    from flows.audit.label.flow import LabelOptions, open_labelling, state_lines

    if as_json and not agreement:
        raise UserError("--json: it is of --agreement; a page has nothing to print")
    work = open_labelling(run, LabelOptions(iteration, pairs, person, out))
    if agreement:
        _print_agreement(work.session.state(), as_json)
        return
    server, link = work.serve(port)
    try:
        with contextlib.suppress(KeyboardInterrupt):  # SIGTERM as well (flows/cli/main.py)
            _show(link, no_browser)
            server.serve_forever()
    finally:
        server.server_close()
    for line in state_lines(work.session.state(), work.file):
        typer.echo(line)
    typer.echo(f"to use them: --set judge.labels=people --set judge.source={work.file}")


def _show(link: str, no_browser: bool) -> None:
    """Open the page in a browser, or print the link that does."""
    from flows.station.open_ui import open_link

    typer.echo("Ctrl-C ends it; every label is kept at once, and the same command goes on")
    if not no_browser and open_link("label.html", link):
        typer.echo("opened in your browser; --no-browser prints the link instead")
    else:
        typer.echo(f"open it by this link, and keep the link to yourself: {link}")


def _print_agreement(state: LabelState, as_json: bool) -> None:
    if as_json:
        said = {"people": state.people, "agreements": [one.to_json() for one in state.agreements]}
        typer.echo(json.dumps({"run": state.run, "iteration": state.iteration, **said}))
        return
    for who, count in state.people.items():
        typer.echo(f"{who}: {count} of {state.pairs} pairs labelled")
    if not state.people:
        typer.echo("no labels yet")
    if state.agreements:
        rows = [
            [
                *(one.one, one.other, one.found.pairs),
                _between(one.found.share, 100, "%"),
                _between(one.found.kappa) if one.found.kappa else "not defined",
            ]
            for one in state.agreements
        ]
        print_table(["who", "with", "pairs", "same answer", "Cohen's kappa"], rows)


def _between(found: Interval, scale: float = 1.0, unit: str = "") -> str:
    digits = 1 if unit else 2
    value, low, high = (scale * one for one in (found.value, found.low, found.high))
    return f"{value:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"
