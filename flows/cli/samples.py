"""`restem samples`: the samples of a run with their verdicts, right and wrong ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, RunId

if TYPE_CHECKING:
    from flows.api.samples import ScoredSample


def samples_command(
    run: RunId = "latest",
    problem: Annotated[
        str,
        typer.Option(help="Of the problem with this id or, where none has it, with this text."),
    ] = "",
    status: Annotated[
        str,
        typer.Option(help="With this verdict, such as correct, wrong_answer or not_correct."),
    ] = "",
    flipped: Annotated[
        str, typer.Option(help="solved: right where the base is wrong; lost: the reverse.")
    ] = "",
    text: Annotated[str, typer.Option(help="With this text in them.")] = "",
    fate: Annotated[
        str,
        typer.Option(
            help="kept (trained on), unfinished, duplicate, outside_band (of a problem solved too "
            "rarely or too often) or over_cap, of purpose draw."
        ),
    ] = "",
    finish: Annotated[
        str,
        typer.Option(help="That ended so: stop, length (cut at the limit), refused or error."),
    ] = "",
    iteration: Annotated[
        int | None, typer.Option(help="Of this policy; 0 is the base. Default: all.", min=0)
    ] = None,
    purpose: Annotated[
        str,
        typer.Option(
            help="Drawn for: draw (training), test, train, validation, pass@k; of an evaluation, "
            "such as 'gsm8k greedy'."
        ),
    ] = "draw",
    limit: Annotated[int, typer.Option(help="Samples to show; 0: all.", min=0)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show samples of a run or an evaluation with their verdicts; --json: a line for each."""
    from flows.api.reading import read_samples
    from flows.runs.sample_filter import SampleFilter

    found = read_samples(
        run, SampleFilter(purpose, iteration, status, flipped, problem, text, fate, finish)
    )
    shown = 0
    for one in found:
        if limit and shown == limit:
            typer.echo("there are more: --limit 0 shows all", err=True)
            break
        shown += 1
        if as_json:
            typer.echo(json.dumps(asdict(one)))
        else:
            _print(one)
    if not shown:
        typer.echo("no such sample", err=True)


def _print(one: ScoredSample) -> None:
    typer.echo(
        f"p{one.iteration} {one.problem.id} sample {one.index}: {one.status.value}, "
        f"reward {one.reward:g}"
    )
    typer.echo(f"  question: {' '.join(one.problem.question.split())}")
    for line in one.text.strip().splitlines():
        typer.echo(f"  {line}")
