"""`restem doctor`: look at this machine before a run does."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import typer

from flows.cli.options import AsJson


def doctor_command(as_json: AsJson = False) -> None:
    """Say what is there, what is missing and what would fail; exit 1 if a plain run would."""
    import sys

    from flows.station.doctor.doctor import doctor, ready

    found = doctor()
    good = ready(found)
    if as_json:
        typer.echo(json.dumps({"ready": good, "findings": [asdict(one) for one in found]}))
    else:
        wide = max(len(one.name) for one in found)
        for one in found:
            todo = f" -> {one.todo}" if one.todo else ""
            typer.echo(f"{one.state:8}{one.name:{wide}}  {one.value}{todo}")
        typer.echo("a plain run would work" if good else "a plain run would fail")
    # A check that hangs must not hold the end up.
    sys.stdout.flush()
    os._exit(0 if good else 1)
