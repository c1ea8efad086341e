"""What is known of a run: `restem status`, `restem trace`."""

from __future__ import annotations

import json
from pathlib import Path

from flows.config.evaluate import EvaluateConfig
from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from flows.report.cost import costs
from flows.report.validation import Checks, checks_of
from flows.runs.journal import lookup, read_estimate, read_journal
from flows.runs.journal_forms import RunHead, StepLine
from flows.runs.next_steps import next_steps
from flows.runs.wall_time import steps_seconds
from tasks.dag.runtime import home, open_store
from tasks.dag.step_names import FINETUNE, MEASURE, SELECT, WIN_RATES
from tasks.errors import UserError
from tasks.evaluate.results import Metrics
from tasks.evaluate.win_rate import WinRates
from tasks.facts import of_json, read_json
from tasks.finetune.results import TrainingFacts
from tasks.rows import Json
from tasks.select.results import SelectionCounts
from tasks.store.store import ArtifactRef, Store


def status(run: str) -> Json:
    """Metrics with intervals for the base and each iteration, and every step's state."""
    head, steps = read_journal(run)
    lines, spent = [line.to_json() for line in steps], [line.cost for line in steps]
    if head.flow in ("evaluate", "study"):
        found = _evaluation(head.run) if head.flow == "evaluate" else _studies(head.run)
        cost = costs(spent).to_json()
        return {**_known(head), "iterations": [], **found, "steps": lines, "cost": cost}
    store = store_of(head)
    metrics = measured(store, steps)
    checks = _checks(head, store, steps, metrics)
    won = _win_rates(store, steps)
    greedy = [one.greedy.value for one in metrics.values()]
    return {
        **_known(head),
        **_estimated(head),
        **_then(head, store),
        **_waited(head, steps),
        "iterations": [
            {"iteration": number, **one.to_json()}
            | ({"finetune": checks[number].to_json()} if number in checks else {})
            | ({"win_rates": won[number].to_json()} if number in won else {})
            | {"steps": [line for line in lines if line["iteration"] == number]}
            for number, one in metrics.items()
        ],
        "steps": lines,
        "cost": costs(spent, _counts(store, steps), greedy).to_json(),
    }


def measured(store: Store, steps: list[StepLine]) -> dict[int, Metrics]:
    """Metrics of each policy that was evaluated and whose artifact is there, by its number."""
    return {
        line.iteration: Metrics.read(store.path(ref))
        for line in steps
        if line.step == MEASURE and (ref := lookup(store, line.artifact)) is not None
    }


def _win_rates(store: Store, steps: list[StepLine]) -> dict[int, WinRates]:
    """Of each policy over the base, in a run by preferences."""
    return {
        line.iteration: WinRates.read(store.path(ref))
        for line in steps
        if line.step == WIN_RATES and (ref := lookup(store, line.artifact)) is not None
    }


def _counts(store: Store, steps: list[StepLine]) -> dict[int, SelectionCounts]:
    """What the rules of each iteration's selection counted."""
    return {
        line.iteration: SelectionCounts.read(store.path(ref))
        for line in steps
        if line.step == SELECT and (ref := lookup(store, line.artifact)) is not None
    }


def _checks(
    head: RunHead, store: Store, steps: list[StepLine], metrics: dict[int, Metrics]
) -> dict[int, Checks]:
    """The validation rewards in the fine-tune that made each policy, of several the last one."""
    how = parse(RestEmConfig, head.config, f"RUN {head.run}: its configuration").evaluation
    found: dict[int, Checks] = {}
    for line in steps:
        if line.step != FINETUNE or (ref := lookup(store, line.artifact)) is None:
            continue
        measured = metrics[line.iteration].metrics if line.iteration in metrics else {}
        validation = measured.get("validation")
        # The one file of it: a store far away need not send the weights.
        said = json.loads(store.read(ref, TrainingFacts.FILE))
        training = TrainingFacts.from_json(said, TrainingFacts.FILE)
        checks = checks_of(training, validation.problems if validation else 0, how)
        if checks:
            found[line.iteration] = checks
    return found


def _evaluation(run: str) -> dict[str, object]:
    """An evaluation's results, where it came to its end."""
    path = home() / "runs" / run / "results.json"
    return {"results": read_json(path) if path.exists() else None}


def _studies(run: str) -> dict[str, object]:
    """What came of a run's studies, where they came to their end."""
    path = home() / "runs" / run / "study.json"
    found = of_json(list[dict[str, object]], read_json(path), str(path)) if path.exists() else []
    kept = [{name: v for name, v in one.items() if name != "figures"} for one in found]
    return {"studies": kept}


def _known(head: RunHead) -> dict[str, object]:
    known = head.to_json()
    names = ("run", "flow", "state", "started", "ended", "error", "warnings", "report")
    return {name: known[name] for name in names if name in known}


def _then(head: RunHead, store: Store) -> dict[str, object]:
    """Where the model is and what can be done next; of a run that did not end, how it goes on."""
    if head.state != "completed" or not head.policies:
        how = "review" if head.state == "awaits review" else "resume"
        return {} if head.state == "running" else {"next": {how: f"restem {how} {head.run}"}}
    config = parse(RestEmConfig, head.config, f"RUN {head.run}: its configuration")
    then = next_steps(config, head.policies, store)
    if store.local and not Path(then.model).is_dir():
        return {"next": {"resume": f"restem resume {head.run} --rebuild"}}
    return {"model": then.model, "next": then.commands}


def _waited(head: RunHead, steps: list[StepLine]) -> dict[str, object]:
    """What the last attempt took, with and without what is around its steps."""
    if head.wall_seconds is None:
        return {}
    return {"wall_seconds": head.wall_seconds, "steps_seconds": steps_seconds(steps)}


def _estimated(head: RunHead) -> dict[str, object]:
    """What was expected of the run, where somebody asked, and what it took once it is done."""
    made = read_estimate(head.run)
    facts: dict[str, object] = {"estimate": made} if made else {}
    if head.state == "completed" and head.ended is not None:
        facts["seconds"] = round(head.ended - head.started, 3)
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


def store_of(head: RunHead) -> Store:
    """The store that a run wrote to; a relative one begins where the run was started."""
    form = EvaluateConfig if head.flow == "evaluate" else RestEmConfig
    config = parse(form, head.config, f"RUN {head.run}: its configuration")
    address = config.resources.store
    if address and "://" not in address:
        address = str(Path(head.folder, Path(address).expanduser()))
    return open_store(config.resources.model_copy(update={"store": address}))
