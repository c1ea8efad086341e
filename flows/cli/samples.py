"""`restem samples`: the samples of a run with their verdicts, right and wrong ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, RunId
from tasks.errors import UserError

if TYPE_CHECKING:
    from flows.api.reading import ScoredSample


def samples_command(
    run: RunId = "latest",
    problem: Annotated[
        str, typer.Option(help="Of the problem with this id, or with this text in its question.")
    ] = "",
    status: Annotated[
        str, typer.Option(help="With this verdict, such as correct or wrong_answer.")
    ] = "",
    text: Annotated[str, typer.Option(help="With this text in them.")] = "",
    iteration: Annotated[
        int | None, typer.Option(help="Of this policy; 0 is the base. Default: all.", min=0)
    ] = None,
    purpose: Annotated[
        str, typer.Option(help="Drawn for: draw (training), test, train, validation, pass@k.")
    ] = "draw",
    limit: Annotated[int, typer.Option(help="Samples to show; 0: all.", min=0)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show samples of a run with what the checker said of them; --json: a line for each."""
    from flows.api.reading import read_run
    from tasks.rows import Status

    known = [one.value for one in Status]
    if status and status not in known:
        raise UserError(f"--status {status}: expected one of: {', '.join(known)}")
    found = 0
    for one in read_run(run).samples(iteration, purpose):
        asked = one.problem
        if problem and problem != asked.id and problem not in asked.question:
            continue
        if (status and one.status.value != status) or text not in one.text:
            continue
        found += 1
        if limit and found > limit:
            typer.echo("there are more: --limit 0 shows all", err=True)
            break
        if as_json:
            typer.echo(json.dumps(asdict(one)))
        else:
            _print(one)
    if not found:
        typer.echo("no such sample", err=True)


def _print(one: ScoredSample) -> None:
    typer.echo(
        f"p{one.iteration} {one.problem.id} sample {one.index}: {one.status.value}, "
        f"reward {one.reward:g}"
    )
    typer.echo(f"  question: {' '.join(one.problem.question.split())}")
    for line in one.text.strip().splitlines():
        typer.echo(f"  {line}")
