"""The pages of runs: a list of them, and one that follows a run while it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from markupsafe import Markup

from flows.report.tables import metric_cell, metric_order
from flows.rest_em.page.fine_tunes import loss_panel, reward_panel
from flows.runs.journal import HEAD, newest_heads, read_live_head, read_steps
from flows.runs.journal_forms import RunHead, StepLine
from flows.runs.status import measured, store_of
from flows.station.pages.html import Html, render, when
from flows.station.pages.training import fine_tunes
from tasks.dag.step_names import SCORE
from tasks.errors import StepError, UserError
from tasks.facts import WrongFacts
from tasks.store.store import Store

# In the list, newest first; and lines of a run.
_RUNS, _STEPS = 200, 50
_LONGEST = 300
_LINK = Markup('<a href="/runs/{}{}">{}</a>')

Found = TypeVar("Found")


def runs_page() -> Html:
    """All runs of this home with their states."""
    rows: list[list[str]] = []
    for path in newest_heads()[:_RUNS]:
        name = path.parent.name
        try:
            head = read_live_head(path.parent)
        except (OSError, WrongFacts) as error:
            said = str(error).replace(str(path), f"damaged: {HEAD}")
            rows.append([name, "", said[:_LONGEST], "", ""])
            continue
        state = f"{head.state} {head.error}".strip()[:_LONGEST]
        link = _LINK.format(name, "/report.html", "report") if _report(path.parent) else ""
        rows.append([_LINK.format(name, "", name), head.flow, state, when(head.started), link])
    shown = ["run", "flow", "state", "started", "report"]
    return render("runs.html.j2", title="Runs", head=shown, rows=rows, nothing="No runs yet.")


def run_page(folder: Path) -> Html:
    """What is known of a run; while it goes, the page renews itself.

    Raises:
        OSError: there is none.
        WrongFacts: its journal is broken.
    """
    head, troubles = read_live_head(folder), list[str]()

    def known(read: Callable[[], Found], otherwise: Found) -> Found:
        try:
            return read()
        except (OSError, UserError, StepError) as error:
            troubles.append(str(error)[:_LONGEST])
            return otherwise

    steps = known(lambda: read_steps(folder), [])
    store = known(lambda: store_of(head), None) if head.flow == "rest-em" else None
    metrics = known(lambda: _metrics(store, steps), []) if store else []
    curves = known(lambda: fine_tunes(store, steps, folder / "logs"), []) if store else []
    panels = [one for one in (loss_panel(curves), reward_panel(curves)) if one.charts]
    return render(
        "run.html.j2",
        title=head.run,
        links=_links(folder, head, steps),
        live=head.state == "running",
        state=head.state,
        flow=head.flow,
        started=head.started,
        ended=head.ended,
        troubles=[*([head.error] if head.error else []), *head.warnings, *troubles],
        metrics=metrics,
        panels=panels,
        done=_done(steps),
        steps=[_cells(line) for line in steps[: -_STEPS - 1 : -1]],
    )


def _links(folder: Path, head: RunHead, steps: list[StepLine]) -> list[tuple[str, str]]:
    place = f"/runs/{folder.name}"
    found = [("report", f"{place}/report.html")] if _report(folder) else []
    scored = any(line.step.startswith(f"{SCORE} ") for line in steps)
    if scored and head.flow in ("rest-em", "evaluate"):
        found.append(("samples", f"{place}/samples"))
    logs = sorted((folder / "logs").glob("*.log"))
    return found + [(path.name, f"{place}/logs/{path.name}") for path in logs]


def _metrics(store: Store, steps: list[StepLine]) -> list[list[str]]:
    """A table with its head; nothing before the first policy is measured."""
    policies = measured(store, steps)
    names = metric_order({name for one in policies.values() for name in one.metrics})
    rows = [
        [f"p{number}" if number else "base", *(metric_cell(one.metrics.get(n)) for n in names)]
        for number, one in policies.items()
    ]
    return [["policy", *names], *rows] if rows else []


def _done(steps: list[StepLine]) -> str:
    cached = sum(line.cached for line in steps)
    said = f"{len(steps):,} done, {cached:,} of them cached"
    return f"{said}; the last {_STEPS} are shown." if len(steps) > _STEPS else f"{said}."


def _cells(line: StepLine) -> list[str]:
    ended = when(line.ended) if line.ended else ""
    return [line.label, line.state, f"{line.took:.1f}", f"{line.rows:,}", ended]


def _report(folder: Path) -> bool:
    return (folder / "report.html").is_file()
