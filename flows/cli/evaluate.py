"""`restem evaluate`: measure any policy on benchmarks."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Rebuild
from flows.cli.rebuild import see_store
from flows.cli.sandbox import make_image
from tasks.errors import StepError, UserError

if TYPE_CHECKING:
    from flows.config.evaluate import EvaluateConfig


def evaluate_command(
    model: Annotated[
        str, typer.Argument(help="RUN, RUN:ITERATION, or a source such as a folder or a Hub id.")
    ] = "",
    on: Annotated[
        str, typer.Option(help="Benchmarks, with commas: math,math500,gsm8k,humaneval,bbh,…")
    ] = "",
    against: Annotated[str, typer.Option(help="Policy to compare with, in the same form.")] = "",
    judge: Annotated[
        str,
        typer.Option(help="Who prefers, for win rates over the other: a policy, or `oracle`."),
    ] = "",
    config: Annotated[str, typer.Option(help="A TOML file, or a name in configs/evaluate/.")] = "",
    limit: Annotated[
        int | None, typer.Option(help="Problems of each benchmark; 0: all.", min=0)
    ] = None,
    grades: Annotated[
        str, typer.Option(help="JSON lines with points given by hand (hungarian).")
    ] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field, such as measure.samples=64.")
    ] = None,
    as_json: AsJson = False,
    rebuild: Rebuild = False,
) -> None:
    """Measure a policy: greedy, pass@k and majority vote with intervals, and against another."""
    from flows.config.evaluate import load_evaluation

    if not model and not config:
        raise UserError("MODEL: expected RUN, RUN:ITERATION, embedded:NAME, a folder or a Hub id")
    given: dict[str, object] = {
        "model": model,
        "against": against,
        "grades": grades,
        "limit": limit,
    }
    fields = {name: value for name, value in given.items() if value not in ("", None)}
    if on:
        fields["on"] = [name.strip() for name in on.split(",") if name.strip()]
    if judge:
        changes = [f"judge.model={json.dumps(judge, ensure_ascii=False)}", *(changes or [])]
    settings = load_evaluation(config, fields, changes)
    start_evaluation(settings, as_json, rebuild)


def start_evaluation(settings: EvaluateConfig, as_json: bool, rebuild: bool = False) -> None:
    """Run an evaluation, or resume it.

    Args:
        rebuild: Make again what the store has lost.
    """
    from flows.machines.local import warm_up
    from flows.server.local import prefect_server

    if settings.sandbox is not None and not settings.resources.ray_address:
        from sandbox.pool import NoEngine

        with contextlib.suppress(NoEngine):  # the evaluation says it, where it needs one
            make_image(settings.run_id, settings.execution.image)
    warm_up()
    with prefect_server():
        from flows.evaluate.flow import evaluate as evaluate_flow
        from flows.evaluate.flow import resolved

        settings = resolved(settings)  # a mistake in a name is said before anything starts
        see_store(settings.run_id, settings.resources, rebuild)
        try:
            outcome = evaluate_flow(settings)
        except KeyboardInterrupt:
            raise StepError("interrupted; the same command resumes it") from None
    if as_json:
        with open(outcome["results"], encoding="utf-8") as file:
            typer.echo(json.dumps(outcome | json.load(file)))
