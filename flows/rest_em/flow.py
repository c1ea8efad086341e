"""`restem demo | run CONFIG | resume RUN`: ReST^EM as a Prefect flow, a loop of cached steps.

    evaluate p_i -> generate -> score -> select -> finetune p_0 -> p_{i+1}

(Singh et al., arXiv 2312.06585, section 3, algorithm 1). Prefect restarts a retried flow from the
top; every step that was done comes back `Cached`, so one flow with a loop is all the resuming there
is.

| part          | does                                                      |
|---------------|-----------------------------------------------------------|
| loop.py       | decides which step is called next, with what              |
| m_step.py     | the Improve steps of an iteration: rows, start, objective |
| transfer.py   | greedy accuracy on other benchmarks                       |
| inputs.py     | names and readers of what the report is made from         |
| cost_lines.py | what each of these artifacts cost                         |
| wins.py       | win rates over the base, in runs by preferences           |
| summary.py    | the last step: report.json and the pages                  |
| results.py    | `RunReport`, the one form of the report                   |
| page/         | the report as HTML and markdown                           |
| ending.py     | what a run prints and returns                             |
| cached.py     | a finished run again, all of it found, without Prefect    |
| tracking/     | the run's curves in TensorBoard, W&B, MLflow, Trackio     |

Covered: ReST^EM; by fields of the configuration ReST, RFT, STaR, DPO and distillation
(docs/recipe.md); review by a person after each iteration; an early end by validation.
Not covered: value functions, token-level rewards, policies that train while they sample.
"""

from __future__ import annotations

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.api_limits import checked
from flows.orchestrator.review import AwaitsReview
from flows.orchestrator.run_name import named_by
from flows.orchestrator.session import session
from flows.rest_em.ending import FLOW, TITLE, Ending
from flows.rest_em.loop import Loop
from flows.rest_em.summary import report_call
from flows.rest_em.tracking.gather import tracked_run
from flows.rest_em.tracking.trackers import installed, tell
from tasks.dag.runtime import home
from tasks.rows import Json

AWAITS = "AwaitsReview"


@flow(name=FLOW, flow_run_name=named_by(lambda config: config.first_name), validate_parameters=True)
def rest_em(config: RestEmConfig) -> Json | State:
    """Improve a policy by ReST^EM and return where the report and the artifacts are."""
    opened = checked(config).seeded(str(flow_run.id))
    named = config.first_name
    config = config.seeded(str(flow_run.id))
    if flow_run.name == named != config.run_id:
        _rename(config.run_id)
    try:
        return _run(config, opened)
    except AwaitsReview as ended:
        return Completed(name=AWAITS, message=str(ended))


def _run(config: RestEmConfig, opened: RestEmConfig) -> Json:
    with session(
        config.run_id,
        config.model_dump(),
        opened.resources,
        config.sandbox,
        FLOW,
        functions=config.find_functions(),
    ) as caller:
        trackers = installed(config.tracking, caller.warn)
        outcome = Loop(opened, caller).run()
        report = caller.call(report_call(config, outcome), config.iterations, "report")
        ending = Ending.of(config, outcome, caller.store, report)
        page = caller.publish(report, ending.then)
        if trackers:
            tracked = tracked_run(config, outcome, ending.report, page, caller.store)
            for name in trackers:
                log = caller.journal.logs / f"tracking-{name}.log"
                tell(name, tracked, home(), log, caller.say, caller.warn)
        caller.end(page, TITLE, ending.table, ending.policies, ending.then)
    return ending.to_json(page)


def _rename(run_id: str) -> None:
    """Name the flow run after the seed that it got."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=run_id)
