"""`restem status`, `report`, `trace`: what is known of a run."""

from __future__ import annotations

import json

import typer

from flows.cli.options import AsJson, RunId
from tasks.errors import UserError


def status_command(
    run: RunId = "latest",
    as_json: AsJson = False,
) -> None:
    """Show a run's metrics by iteration and the state of its steps."""
    from flows.runs.status import status as read_status

    facts = read_status(run)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    from flows.report.cost import Cost, each_table, steps_table
    from flows.report.tables import metrics_text, plain_table
    from flows.report.validation import CHECKS_HEAD, Checks, checks_rows
    from flows.report.win_rates import win_rates_text
    from tasks.evaluate.intervals import Interval
    from tasks.evaluate.win_rate import WinRates
    from tasks.facts import of_json

    typer.echo(f"{facts['run']}: {facts['state']} {facts.get('error', '')}".rstrip())
    if "estimate" in facts:
        from flows.estimate.estimate import Estimate, compared

        made = Estimate.from_json(facts["estimate"], "estimate.json")
        typer.echo(compared(made, facts.get("seconds")))
    if facts["iterations"]:
        metrics = {
            one["iteration"]: of_json(dict[str, Interval], one["metrics"], "metrics")
            for one in facts["iterations"]
        }
        typer.echo(metrics_text(metrics))
        checks = [
            row
            for one in facts["iterations"]
            if "finetune" in one
            for row in checks_rows(
                f"p{one['iteration']}", Checks.from_json(one["finetune"], "finetune")
            )
        ]
        if checks:
            typer.echo(plain_table(CHECKS_HEAD, checks))
        won = {
            f"p{one['iteration']}": WinRates.from_json(one["win_rates"], "win_rates")
            for one in facts["iterations"]
            if "win_rates" in one
        }
        if won:
            typer.echo(win_rates_text(won, "the base"))
    for one in facts.get("studies", []):
        for claim in one["claims"]:
            typer.echo(f"{one['study']}: {claim['here']}: {claim['sentence']}")
    if facts.get("results"):
        from flows.evaluate.results import EvaluationResults
        from flows.evaluate.tables import results_text

        typer.echo(results_text(EvaluationResults.from_json(facts["results"])))
    cost = Cost.from_json(facts["cost"])
    for table in (steps_table(cost), each_table(cost)):
        if table.rows:
            typer.echo(plain_table(table.head, table.rows))
    if "wall_seconds" in facts:
        from flows.runs.wall_time import wall_line

        typer.echo(wall_line(facts["wall_seconds"], facts["steps_seconds"]))
    if "model" in facts:
        typer.echo(f"model: {facts['model']}")
    for name, command in facts.get("next", {}).items():
        typer.echo(f"  {name:<8}  {command}")


def report_command(run: RunId = "latest") -> None:
    """Print where a run's report page is."""
    from flows.runs.journal import find_run

    page = find_run(run) / "report.html"
    if not page.is_file():
        raise UserError(f"RUN {run}: it has no report yet; a report is written when a run ends")
    typer.echo(page)


def trace_command(run: str, row: str, as_json: AsJson = False) -> None:
    """Print the chain from a training row (17, or 2:17 in iteration 2) back to the base model."""
    from flows.runs.trace import trace as read_trace

    chain = read_trace(run, row)
    if as_json:
        typer.echo(json.dumps(chain))
        return
    for title, facts in chain.items():
        typer.echo(title if isinstance(facts, dict) else f"{title}: {facts}")
        for name, value in facts.items() if isinstance(facts, dict) else ():
            typer.echo(
                f"    {name}: {value!r}" if isinstance(value, str) else f"    {name}: {value}"
            )
