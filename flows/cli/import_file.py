"""`restem import`: rollouts that others made, kept under a name for `sampling.teacher`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Changes

if TYPE_CHECKING:
    from flows.config.rest_em import RestEmConfig


def import_command(
    file: Annotated[
        Path, typer.Argument(help="JSON lines of lm-eval, verifiers, NeMo Gym or a plain form.")
    ],
    name: Annotated[str, typer.Option("--as", help="Name for sampling.teacher = import:NAME.")],
    config: Annotated[
        str, typer.Option(help="Say how it fits the problems of this configuration.")
    ] = "",
    keep_scores: Annotated[
        bool,
        typer.Option("--keep-scores", help="Their scores are the rewards; else ours are."),
    ] = False,
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Import samples that others made, so that a run filters, trains on and measures them."""
    from flows.api.imports.imports import check_import, import_rollouts

    settings = _settings(config, changes)
    found = import_rollouts(file, name, keep_scores=keep_scores)
    fits = check_import(name, settings) if settings else None
    if as_json:
        typer.echo(json.dumps({**found.to_json(), "matches": fits and asdict(fits)}))
        return
    forms = ", ".join(f"{count:,} lines of {form}" for form, count in found.lines.items())
    typer.echo(
        f"imported {name}: {found.rollouts:,} rollouts of {found.questions:,} questions ({forms}); "
        f"{found.scores:,} with a score, {found.problems:,} questions with a reference"
    )
    if found.repeated:
        typer.echo(f"{found.repeated:,} repeated under another filter are left out")
    if fits:
        typer.echo(
            f"{fits.matched:,} rollouts belong to {fits.problems:,} training problems, "
            f"{fits.rollouts - fits.matched:,} to none; {fits.beyond:,} are beyond sampling.samples"
        )
    typer.echo(f"use them: --set sampling.teacher=import:{name}")


def _settings(config: str, changes: list[str] | None) -> RestEmConfig | None:
    from flows.config.read import change, parse
    from flows.config.rest_em import RestEmConfig, load_config

    if config:
        return load_config(config, changes)
    if not changes:
        return None
    raw: dict[str, object] = {}
    change(raw, changes)
    return parse(RestEmConfig, raw, "--set")
