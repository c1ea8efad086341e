"""The ReST^EM flow: one Prefect flow with a plain loop of cached tasks.

Prefect restarts a retried flow from the top; every step that was done comes back `Cached`, so one
flow with a loop is all the resuming there is.
"""

from __future__ import annotations

import json

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.config import RestEmConfig
from flows.console import results_table
from flows.loop import Loop
from flows.places import check_addresses, check_places
from flows.review import AwaitsReview, deployed
from flows.session import session
from flows.summary import report_call
from tasks.artifacts import Json

FLOW = "rest-em"
AWAITS = "AwaitsReview"


@flow(name=FLOW, flow_run_name="{config.run_id}", validate_parameters=True)
def rest_em(config: RestEmConfig) -> Json | State:
    """Improve a policy by ReST^EM and return where the report and the artifacts are."""
    if deployed():
        check_places(config.places)
        check_addresses(config.addresses)
    if config.fresh_seed:
        config = config.seeded(str(flow_run.id))
        _rename(config.run_id)
    try:
        return _run(config)
    except AwaitsReview as ended:
        return Completed(name=AWAITS, message=str(ended))


def _run(config: RestEmConfig) -> Json:
    with session(
        config.run_id, config.model_dump(), config.resources, config.sandbox, FLOW
    ) as caller:
        outcome = Loop(config, caller).run()
        report = caller.call(report_call(config, outcome), config.iterations, "report")
        page = caller.publish(report)
        summary = json.loads((caller.store.path(report) / "report.json").read_text())
        policies = [iteration.policy.location for iteration in outcome.iterations]
        table = results_table(summary)
        caller.end(page, "accuracy in %, with intervals:", table, policies=policies)
    return {"run": config.run_id, "report": str(page), "policies": policies}


def _rename(run_id: str) -> None:
    """Name the flow run after the seed that it got."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=run_id)
