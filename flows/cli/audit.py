"""`restem audit`: how far the math checker can be trusted on a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
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
    judge: Annotated[
        str, typer.Option(help="Measure this judge on the verdicts instead: a policy's name.")
    ] = "",
    prompt: Annotated[
        str, typer.Option(help="What the judge is asked: a template's name or a TOML file.")
    ] = "",
    reason_tokens: Annotated[
        int, typer.Option(help="Longest reason of the judge in tokens.", min=1, max=32_768)
    ] = 512,
    engine: Annotated[
        str, typer.Option(help="Of the judge: transformers or vllm; empty: that of the run.")
    ] = "",
    dtype: Annotated[
        str, typer.Option(help="Its number format, such as bfloat16; empty: that of the run.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Ask a second checker about a math run's verdicts, and estimate our checker's errors.

    With --judge: how far a model, asked for the better of a right and a wrong sample, agrees with
    the verdicts of a math or code run.
    """
    if judge:
        for name, given in (("--out", out), ("--labels", labels)):
            if given:
                raise UserError(f"{name}: for audits of the checker; expected no --judge")
        _audit_judge(run, (judge, prompt, pairs, seed, reason_tokens, engine, dtype), as_json)
        return
    for name, given in (("--prompt", prompt), ("--engine", engine), ("--dtype", dtype)):
        if given:
            raise UserError(f"{name} {given}: it is for a judge; expected it with --judge")
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


def _audit_judge(run: str, asked: tuple[str, str, int, int, int, str, str], as_json: bool) -> None:
    from flows.audit.judge import JudgeOptions, audit_judge
    from flows.audit.judge_tables import judge_text
    from flows.config.evaluate import DTYPES, ENGINES
    from flows.machines.local import warm_up
    from flows.runs.journal import find_run

    judge, prompt, pairs, seed, reason_tokens, engine, dtype = asked
    for name, given, names in (("--engine", engine, ENGINES), ("--dtype", dtype, DTYPES)):
        if given and given not in names:
            raise UserError(f"{name} {given}: expected {' or '.join(names)}")
    folder = find_run(run)
    options = JudgeOptions(judge, prompt or "answers", pairs, seed, reason_tokens, engine, dtype)
    warm_up()
    bar = _bar()

    def say(text: str) -> None:
        typer.echo(text, err=True)

    facts = audit_judge(folder.name, options, lambda _, done, total: bar(done, total), say)
    facts.write(folder)
    if as_json:
        typer.echo(json.dumps(facts.to_json()))
        return
    typer.echo(judge_text(facts))
    typer.echo(f"audit: {folder / facts.FILE}")


def _bar() -> Callable[[int, int], None]:
    """Progress on a terminal's standard error; nothing elsewhere."""
    shown = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if shown:
            end = "\n" if done == total else ""
            print(f"\r{done:,} of {total:,} pairs", end=end, file=raw(sys.stderr), flush=True)

    return progress
