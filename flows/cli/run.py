"""`restem demo | run | resume | review`: a run from the command line."""

from __future__ import annotations

import contextlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.complete import known_fields
from flows.cli.options import AsJson, Changes, Config, Rebuild, RunId
from flows.cli.rebuild import see_store
from flows.cli.sandbox import make_image
from tasks.errors import UserError

if TYPE_CHECKING:
    from flows.config.rest_em import RestEmConfig


class Domain(StrEnum):
    """What the problems of a demo are of."""

    MATH = "math"
    CODE = "code"
    NOTES = "notes"


def demo(
    domain: Annotated[
        Domain,
        typer.Option(help="Word problems, small programs, or notes that are preferred by a judge."),
    ] = Domain.MATH,
    changes: Changes = None,
    dry_run: bool = False,
    if_engine: Annotated[
        bool, typer.Option(help="Where no Docker engine answers, say so and succeed.")
    ] = False,
    rebuild: Rebuild = False,
) -> None:
    """Run the embedded default: a tiny model improves on synthetic problems, in minutes."""
    name = f"{domain.value}-demo"
    if domain is Domain.CODE and not dry_run and not _can_run_code(name, changes, if_engine):
        return
    run_command(name, changes, dry_run, rebuild=rebuild)


def _can_run_code(name: str, changes: list[str] | None, forgiving: bool) -> bool:
    from flows.config.rest_em import load_config
    from sandbox.pool import NoEngine

    settings = load_config(name, changes)
    try:
        make_image(settings.run_id, settings.execution.image)
    except NoEngine as error:
        if not forgiving:
            raise UserError(str(error)) from None
        typer.echo(f"the code demo is left out: {error}")
        return False
    return True


def run_command(
    config: Config,
    changes: Changes = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print the plan, what is cached, and how long the rest takes.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="With --dry-run: measure first, for about a minute.")
    ] = False,
    as_json: AsJson = False,
    rebuild: Rebuild = False,
) -> None:
    """Run a configuration, or resume it: what is done already comes from the cache."""
    from flows.config.rest_em import load_config

    settings = load_config(config, changes)
    if probe and not dry_run:
        raise UserError("--probe: it measures for an estimate; expected it with --dry-run")
    see_store(settings.run_id, settings.resources, rebuild)
    if dry_run:
        _print_plan(settings, as_json, probe)
    else:
        _start(settings, as_json)


def resume(
    run: RunId = "latest",
    as_json: AsJson = False,
    rebuild: Rebuild = False,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Begin another run from this one with a field changed, such as iterations=4; what "
            "both have in common comes from the cache.",
            autocompletion=known_fields,
        ),
    ] = None,
) -> None:
    """Go on with a run, an evaluation or a study that was ended early."""
    from flows.config.read import change, parse
    from flows.config.rest_em import RestEmConfig
    from flows.runs.folder import go_to_folder
    from flows.runs.journal import read_journal

    head, _ = read_journal(run)
    go_to_folder(head)
    where = f"RUN {head.run}: its configuration"
    if changes and head.flow != "rest-em":
        raise UserError(f"--set: RUN {head.run} is of {head.flow}; expected a run of the loop")
    if head.flow == "evaluate":
        from flows.cli.evaluate import start_evaluation
        from flows.config.evaluate import EvaluateConfig

        start_evaluation(parse(EvaluateConfig, head.config, where), as_json, rebuild)
    elif head.flow == "study":
        from flows.cli.study import start_study
        from flows.study.config import StudyConfig

        start_study(parse(StudyConfig, head.config, where), as_json, rebuild=rebuild)
    else:
        change(head.config, changes or [])
        settings = parse(RestEmConfig, head.config, where, changes or [])
        see_store(settings.run_id, settings.resources, rebuild)
        _start(settings, as_json)


def review(
    run: RunId = "latest",
    stop: Annotated[bool, typer.Option("--stop", help="End the loop here.")] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Sample otherwise from here on, such as temperature=0.9."),
    ] = None,
    note: Annotated[str, typer.Option(help="Why; kept with the run and in its report.")] = "",
) -> None:
    """Decide on a run that awaits its review; `restem resume` then goes on with it."""
    from flows.config.read import change, parse
    from flows.config.rest_em import RestEmConfig
    from flows.orchestrator.decision import CHANGEABLE
    from flows.orchestrator.review import Review, Reviews
    from flows.runs.journal import find_run, read_journal
    from tasks.dag.step_names import MEASURE

    head, steps = read_journal(run, "rest-em")
    if head.state != "awaits review":
        raise UserError(f"RUN {head.run}: it is {head.state} and awaits no review")
    number = max(line.iteration for line in steps if line.step == MEASURE)
    reviews = Reviews(find_run(head.run))
    config = parse(RestEmConfig, head.config, f"RUN {head.run}: its configuration")
    earlier = [found for n in range(1, number) if (found := reviews.decided(n))]
    now = earlier[-1] if earlier else config.sampling
    raw: dict[str, object] = {name: getattr(now, name) for name in CHANGEABLE}
    change(raw, changes or [])
    raw |= {"decision": "stop" if stop else "continue", "note": note}
    if unknown := sorted(set(raw) - {*CHANGEABLE, "decision", "note"}):
        raise UserError(f"--set {unknown[0]}: expected one of: {', '.join(CHANGEABLE)}")
    reviews.decide(number, parse(Review, raw, "--set"))
    typer.echo(f"{head.run}: iteration {number}: {raw['decision']}; `restem resume` goes on")


def _start(settings: RestEmConfig, as_json: bool) -> None:
    from flows.api.start import AwaitsReview, start
    from flows.estimate.early import refuse_bad_data
    from flows.runs.journal import is_completed, note_wall, read_journal
    from flows.runs.wall_time import since_command, steps_seconds, wall_line

    if not is_completed(settings.run_id):
        refuse_bad_data(settings)
    if settings.sandbox is not None and not settings.resources.ray_address:
        from sandbox.pool import NoEngine

        with contextlib.suppress(NoEngine):  # the run says it, where it needs one
            make_image(settings.run_id, settings.execution.image)
    try:
        outcome = start(settings)
    except AwaitsReview as awaits:
        typer.echo(awaits)
        return
    wall = since_command()
    if wall is not None:
        note_wall(outcome["run"], wall)
    if as_json:
        typer.echo(json.dumps(outcome | ({} if wall is None else {"wall_seconds": wall})))
    elif wall is not None:
        typer.echo(wall_line(wall, steps_seconds(read_journal(outcome["run"])[1])))


def _print_plan(settings: RestEmConfig, as_json: bool, probe: bool) -> None:
    import tomli_w

    from flows.estimate.dry_run import planned
    from flows.estimate.estimate import table, words
    from flows.estimate.preflight import preflight
    from flows.report.tables import plain_table

    try:
        caller, made = planned(settings, probe=probe)
    except UserError as error:
        if not as_json:
            for one in preflight(settings, None, str(error)):
                typer.echo(one.line)
        raise
    ready = preflight(settings, caller.splits)
    rows = [vars(group) for group in caller.groups.values()]
    if as_json:
        facts = {"run": settings.run_id, "config": settings.model_dump(), "steps": rows}
        facts["estimate"] = made and made.to_json()
        facts["preflight"] = [one.to_json() for one in ready]
        typer.echo(json.dumps(facts | {"warnings": caller.warnings}))
        return
    typer.echo(tomli_w.dumps(settings.model_dump()))
    typer.echo(f"# run {settings.run_id}")
    cells = [list(row.values()) for row in rows]
    typer.echo(plain_table(["iteration", "step", "cached", "to do"], cells))
    if made is not None:
        typer.echo(plain_table(*table(made)))
    typer.echo(words(made))
    for warning in caller.warnings:
        typer.echo(f"warning: {warning}")
    for one in ready:
        typer.echo(one.line)
