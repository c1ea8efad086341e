"""The flow behind `restem study`: every arm with every seed, by the loop that `restem run` runs.

    for each study, for each seed, for each arm: the loop; then one artifact and one page

Arms differ by configuration alone, so what two of them have in common is one artifact, asked for
once (sharing.py). Where the machine has room, runs go side by side (workers.py). A study that was
interrupted goes on where it was, and one that is asked for again with more seeds runs the new ones
alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.api_limits import check_config
from flows.orchestrator.deployed import deployed
from flows.orchestrator.prefect_caller import PrefectCaller
from flows.orchestrator.run_name import named_by
from flows.orchestrator.session import session
from flows.rest_em.loop import Loop
from flows.rest_em.results import RunReport
from flows.rest_em.summary import report_call
from flows.study.config import StudyConfig
from flows.study.design import Arm, Study
from flows.study.page import console_lines, overview, render
from flows.study.results import Account, StudyRuns
from flows.study.sharing import Known, SharedCaller
from flows.study.summary import FinishedStudy, study_call, summarise
from flows.study.workers import open_workers, side_by_side
from tasks.store.store import ArtifactRef

FLOW = "study"
# What a study leaves beside its page, for the gallery.
FACTS = "study.json"


@flow(name=FLOW, flow_run_name=named_by(lambda config: config.run_id), validate_parameters=True)
def study(config: StudyConfig) -> dict[str, str]:
    """Run a study, or all, and return where the pages are and what was shared."""
    if deployed():
        for one in (config, *config.bases.all):
            check_config(one)
    with session(
        config.run_id,
        config.model_dump(),
        config.resources,
        config.sandbox,
        FLOW,
        functions=config.functions,
        brief=True,
    ) as caller:
        known = Known()
        most = max(config.seeds * len(config.arms(one)) for one in config.studies)
        with open_workers(caller, config.resources, most) as workers:
            done = [_study(config, one, known, workers) for one in config.studies]
        return _publish(config, caller, done)


def _study(
    config: StudyConfig, one: Study, known: Known, workers: Sequence[PrefectCaller]
) -> FinishedStudy:
    """All runs of a study, and its results."""
    began = time.perf_counter()
    arms, account = config.arms(one), Account()
    jobs = [(arm, seed) for seed in range(1, config.seeds + 1) for arm in arms]
    runs: dict[tuple[str, int], ArtifactRef] = {}

    def run(worker: PrefectCaller, job: tuple[Arm, int]) -> None:
        arm, seed = job
        step = f"{one.name}: run {jobs.index(job) + 1} of {len(jobs)}"
        shared = SharedCaller(worker, known)
        runs[arm.name, seed] = _run(config.run_of(arm, seed), shared, worker, step)
        with known.lock:
            account.add(shared.account)

    side_by_side(jobs, workers, run)
    account.wall = time.perf_counter() - began
    last = SharedCaller(workers[0], known)
    # In the order of seeds and arms, whichever ended first.
    ordered = {(arm.name, seed): runs[arm.name, seed] for arm, seed in jobs}
    made = last.call(study_call(one.name, ordered), 0, "study")
    account.add(last.account)
    found = StudyRuns.read(workers[0].store.path(made)).results
    finished = FinishedStudy(one, arms, found, account)
    workers[0].say(console_lines(finished)[0])
    return finished


def _run(
    config: RestEmConfig, shared: SharedCaller, caller: PrefectCaller, step: str
) -> ArtifactRef:
    """One run of an arm; the report of it."""
    began = time.perf_counter()
    outcome = Loop(config, shared).run()
    report = shared.call(report_call(config, outcome), len(outcome.iterations) - 1, "report")
    found = RunReport.read(caller.store.path(report))
    greedy = [f"{100 * one.greedy.value:.1f}" for one in found.iterations]
    caller.say(
        f"  {step} ({config.run_id}) {time.perf_counter() - began:.1f} s · greedy "
        f"{' → '.join(greedy)} · {shared.account.samples.made:,.0f} new samples"
    )
    return report


def _publish(
    config: StudyConfig, caller: PrefectCaller, done: list[FinishedStudy]
) -> dict[str, str]:
    """Write the pages and end the journal."""
    folder: Path = caller.journal.folder
    for one in done:
        (folder / f"{one.study.name}.html").write_text(render(one, config), encoding="utf-8")
    whole = overview(done, config)
    (folder / "report.html").write_text(whole.html, encoding="utf-8")
    (folder / FACTS).write_text(
        json.dumps([summarise(one).to_json() for one in done], indent=1), encoding="utf-8"
    )
    caller.show(whole.markdown)
    table = "\n".join(line for one in done for line in [one.study.title, *console_lines(one)[1:]])
    caller.end(folder / "report.html", "the paper's claims:", table)
    return {"run": config.run_id, "report": str(folder / "report.html"), "folder": str(folder)}
