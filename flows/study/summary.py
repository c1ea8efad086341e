"""The last step of a study: what all its runs measured, by arm and seed, as one artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flows.study.results import Results
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.rows import Json
from tasks.store.store import ArtifactRef, Draft

FILE = "results.json"
# Of an iteration in a run's report, what studies look at; texts of problems stay with the run.
KEPT = ("iteration", "model", "metrics", "levels", "selection", "transfer", "bins")


def study_call(study: str, runs: Mapping[tuple[str, int], ArtifactRef]) -> Call:
    """The call that gathers a study's runs.

    Args:
        study: Its name.
        runs: (arm, seed) → the run's report.
    """
    inputs = {f"{arm} | {seed}": ref for (arm, seed), ref in runs.items()}
    settings = {"study": study, "runs": [[arm, seed] for arm, seed in runs]}
    return Call(gather, f"study {study}", settings, inputs)


@step("study", "study")
def gather(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write results.json: {"study", "runs": [{"arm", "seed", "run", "iterations"}]}."""
    runs = []
    for arm, seed in call.settings["runs"]:
        ref = call.inputs[f"{arm} | {seed}"]
        report = json.loads((runtime.store.path(ref) / "report.json").read_text())
        iterations = [{k: item[k] for k in KEPT if k in item} for item in report["iterations"]]
        runs.append({"arm": arm, "seed": seed, "run": report["run"], "iterations": iterations})
    facts = {"study": call.settings["study"], "runs": runs}
    (draft.path / FILE).write_text(json.dumps(facts, indent=1, sort_keys=True))
    draft.rows = len(runs)


def results_of(facts: Json) -> Results:
    """The results in a results.json."""
    runs = {(run["arm"], run["seed"]): run["iterations"] for run in facts["runs"]}
    return Results(runs, sorted({seed for _, seed in runs}))
