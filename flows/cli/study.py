"""`restem study`: the paper's experiments, one command each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, Rebuild
from flows.cli.rebuild import see_store
from tasks.errors import StepError

if TYPE_CHECKING:
    from flows.study.config import StudyConfig
    from flows.study.design import Study

_Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a field of every arm's configuration; may be repeated."),
]


def study_command(
    name: Annotated[str, typer.Argument(help="A study, or `all`; a wrong name lists them.")],
    config: Annotated[
        list[str] | None,
        typer.Option(
            help="Configuration that arms are changes of: one for math, code or notes each."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each arm.", min=1)] = 5,
    student: Annotated[
        str, typer.Option(help="Smaller base policy for distillation, as in model.base.")
    ] = "",
    changes: _Changes = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Also write figures and their page into this folder.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print arms, claims and runs, and start nothing.")
    ] = False,
    as_json: AsJson = False,
    rebuild: Rebuild = False,
) -> None:
    """Run a study of the paper on the same tasks as every run, and hold its claims against it."""
    from flows.study.config import load_study

    settings = load_study(name, config or [], seeds, student, changes or [])
    if dry_run:
        _print_design(settings, as_json)
        return
    start_study(settings, as_json, gallery, rebuild=rebuild)


def start_study(
    settings: StudyConfig, as_json: bool, gallery: Path | None = None, *, rebuild: bool = False
) -> None:
    """Run a study, or resume it.

    Args:
        gallery: Folder for figures and their page.
        rebuild: Make again what the store has lost.
    """
    from flows.machines.local import warm_up
    from flows.runs.journal import is_completed
    from flows.server.local import prefect_server

    see_store(settings.run_id, settings.resources, rebuild)
    if not is_completed(settings.run_id):  # else everything is likely cached
        warm_up()
    with prefect_server():
        from flows.study.flow import FACTS
        from flows.study.flow import study as study_flow

        try:
            outcome = study_flow(settings)
        except KeyboardInterrupt:
            raise StepError("interrupted; the same command resumes it") from None
    facts = json.loads((Path(outcome["folder"]) / FACTS).read_text(encoding="utf-8"))
    if gallery is not None:
        from flows.study.gallery import write_gallery
        from flows.study.results import StudyReport

        studies = [StudyReport.from_json(one, FACTS) for one in facts]
        typer.echo(f"gallery: {write_gallery(studies, gallery)}")
    if as_json:
        shown = [{k: v for k, v in one.items() if k != "figures"} for one in facts]
        typer.echo(json.dumps({**outcome, "studies": shown}))


def _print_design(settings: StudyConfig, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_design(settings, one) for one in settings.studies]))
        return
    from flows.report.tables import plain_table

    for one in settings.studies:
        typer.echo(f"{one.name}: {one.title}\n{one.question}\n")
        rows = [
            [arm.name, arm.task, ", ".join(f"{k} = {v}" for k, v in arm.changes.items())]
            for arm in settings.arms(one)
        ]
        for arm in settings.arms(one):
            settings.run_of(arm, 1)  # a change that fits no configuration is said now
        typer.echo(plain_table(["arm", "task", "changes"], rows))
        for claim in one.claims:
            typer.echo(f"\nthe paper: {claim.paper}\nhere: {claim.here} ({claim.expect})")
        typer.echo(f"\n{len(rows)} arms × {settings.seeds} seeds\n")


def _design(settings: StudyConfig, one: Study) -> dict[str, object]:
    """A study as it would be run."""
    arms = settings.arms(one)
    for arm in arms:
        settings.run_of(arm, 1)
    return {
        "study": one.name,
        "title": one.title,
        "question": one.question,
        "seeds": settings.seeds,
        "arms": [{"arm": a.name, "task": a.task, "changes": a.changes} for a in arms],
        "claims": [{"paper": c.paper, "here": c.here, "expect": c.expect} for c in one.claims],
    }
