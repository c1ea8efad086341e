"""What is known of a run: `restem status`, `restem trace`."""

from __future__ import annotations

import json

from flows.config.rest_em import RestEmConfig
from flows.report.cost import journal_costs
from flows.runs.journal import lookup, read_journal
from flows.runs.journal import read as read_estimate
from tasks.dag.runtime import home, open_store
from tasks.dag.step_names import MEASURE, SELECT
from tasks.errors import UserError
from tasks.evaluate.results import Metrics
from tasks.rows import Json
from tasks.select.results import SelectionCounts
from tasks.store.store import ArtifactRef, Store


def status(run: str) -> Json:
    """Metrics with intervals for the base and each iteration, and every step's state."""
    head, steps = read_journal(run)
    if head.get("flow") == "evaluate":
        return _evaluation(head, steps)
    if head.get("flow") == "study":
        cost = journal_costs(steps).to_json()
        known = {**_known(head), "iterations": [], "steps": steps, "cost": cost}
        return known | _studies(head["run"])
    store = store_of(head)
    found = {
        line["iteration"]: Metrics.read(store.path(ref))
        for line in steps
        if line["step"] == MEASURE and (ref := lookup(store, line["artifact"])) is not None
    }
    greedy = [one.greedy.value for one in found.values()]
    return {
        **_known(head),
        **_estimated(head),
        "iterations": [
            {"iteration": number, **one.to_json()}
            | {"steps": [line for line in steps if line["iteration"] == number]}
            for number, one in found.items()
        ],
        "steps": steps,
        "cost": journal_costs(steps, _counts(store, steps), greedy).to_json(),
    }


def _counts(store: Store, steps: list[Json]) -> dict[int, SelectionCounts]:
    """What the rules of each iteration's selection counted."""
    return {
        line["iteration"]: SelectionCounts.read(store.path(ref))
        for line in steps
        if line["step"] == SELECT and (ref := lookup(store, line["artifact"])) is not None
    }


def _evaluation(head: Json, steps: list[Json]) -> Json:
    """An evaluation's results, where it came to its end, and every step's state."""
    results = home() / "runs" / head["run"] / "results.json"
    found = json.loads(results.read_text()) if results.exists() else None
    known = {**_known(head), "iterations": [], "results": found}
    return {**known, "steps": steps, "cost": journal_costs(steps).to_json()}


def _studies(run: str) -> Json:
    """What came of a run's studies, where they came to their end."""
    path = home() / "runs" / run / "study.json"
    found = json.loads(path.read_text()) if path.exists() else []
    kept = [{name: v for name, v in one.items() if name != "figures"} for one in found]
    return {"studies": kept}


def _known(head: Json) -> Json:
    names = ("run", "flow", "state", "started", "ended", "error", "warnings", "report")
    return {name: head[name] for name in names if name in head}


def _estimated(head: Json) -> Json:
    """What was expected of the run, where somebody asked, and what it took once it is done."""
    made = read_estimate(head["run"])
    facts: Json = {"estimate": made} if made else {}
    if head["state"] == "completed":
        facts["seconds"] = round(head["ended"] - head["started"], 3)
    return facts


def need_artifact(store: Store, location: str) -> ArtifactRef:
    """The artifact of a journal's line.

    Raises:
        UserError: the store has it no more.
    """
    ref = lookup(store, location)
    if ref is None:
        raise UserError(f"artifact {location} is gone or damaged; run the run again to rebuild it")
    return ref


def store_of(head: Json) -> Store:
    """The store that a run wrote to."""
    return open_store(RestEmConfig.model_validate(head["config"]).resources)
