"""`restem audit`: how far the math checker can be trusted on a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, RunId
from tasks.errors import UserError
from tasks.terminal import raw


def audit(
    run: RunId = "latest",
    pairs: Annotated[
        int, typer.Option(help="Unlike (reference, text) pairs to ask about; 0: all.", min=0)
    ] = 2000,
    seed: Annotated[int, typer.Option(help="Of the draw of pairs.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write the disagreements here, to be labelled.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help='The same file with "label": "equal" or "unequal".')
    ] = None,
    limit: Annotated[float, typer.Option(help="Seconds for one pair.")] = 10.0,
    workers: Annotated[int, typer.Option(help="Processes; 0: one a core.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Ask a second checker about a math run's verdicts, and estimate our checker's errors."""
    from flows.audit.flow import Options, audit_run
    from flows.audit.page import publish
    from flows.audit.tables import audit_text
    from flows.runs.journal import find_run

    if not limit > 0:
        raise UserError(f"--limit {limit:g}: expected a number of seconds above 0")
    folder = find_run(run)
    options = Options(pairs, seed, limit, workers, out, labels)
    facts = audit_run(folder.name, options, _bar())
    page = publish(facts, folder)
    if as_json:
        typer.echo(json.dumps(facts.to_json()))
        return
    typer.echo(audit_text(facts))
    if out:
        typer.echo(f"disagreements to label: {out}")
    typer.echo(f"audit: {page}")


def _bar():
    """Progress on a terminal's standard error; nothing elsewhere."""
    shown = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if shown:
            end = "\n" if done == total else ""
            print(f"\r{done:,} of {total:,} pairs", end=end, file=raw(sys.stderr), flush=True)

    return progress
