"""What `restem run CONFIG --dry-run` does for its estimate: probe where asked, else what is known.

Prefect reads its settings when it is imported, so what imports it is imported here once a server
is there.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.config.rest_em import RestEmConfig
from flows.estimate.costs import Costs
from flows.estimate.estimate import Estimate, estimate, write
from flows.estimate.history import keep_costs, known_costs
from sandbox.process_name import born
from tasks.dag.step_names import GENERATE
from tasks.errors import StepError, UserError

if TYPE_CHECKING:
    from flows.estimate.plan import PlanCaller

# A server that is not gone by then is in use by somebody else.
SERVER_END_SECONDS = 30.0


def planned(config: RestEmConfig, *, probe: bool) -> tuple[PlanCaller, Estimate | None]:
    """The plan of a run, and its estimate, kept with the run; None where nothing is known yet."""
    if probe and config.sampling.hosted_teacher:
        raise UserError("--probe: a hosted teacher is paid by sample; expected --dry-run alone")
    if probe and config.judge.hosted:
        raise UserError("--probe: a hosted judge is paid by answer; expected --dry-run alone")
    if probe:
        caller, costs = _probed(config)
    else:
        from flows.estimate.plan import plan

        caller, costs = plan(config), known_costs(config)
    if costs is None:
        return caller, None
    made = estimate(config, caller.to_do, caller.splits, costs)
    if caller.to_do:  # else the run is done, and an earlier estimate of it is worth keeping
        write(made)
    return caller, made


def _probed(config: RestEmConfig) -> tuple[PlanCaller, Costs]:
    from flows.machines.local import warm_up
    from flows.server.local import prefect_server
    from tasks.dag.runtime import home

    # As a run does: from the start of the process to the first step, and from the last to the end.
    began = (born(os.getpid()) or 0) / os.sysconf("SC_CLK_TCK")
    before = time.clock_gettime(time.CLOCK_BOOTTIME) - began
    if not (home() / "prefect" / "prefect.db").exists():
        # The database is made once in the life of a RESTEM_HOME; a run's server starts without.
        with prefect_server() as address:
            pass
        _until_gone(address)
    began = time.perf_counter()
    warm_up()
    with prefect_server():
        from flows.estimate.plan import plan
        from flows.estimate.probe import probe

        at = time.perf_counter()
        caller = plan(config)
        if not any(one.call.step.name == GENERATE for one in caller.to_do):
            raise UserError("--probe: all samples of this run are there; expected some to be drawn")
        planning = time.perf_counter() - at
        try:
            raw = probe(config, caller.splits, return_state=True).result()
        except KeyboardInterrupt:
            raise StepError("interrupted; the probe left nothing behind") from None
        at = time.perf_counter()
    costs = Costs.from_json(raw)
    start = before + costs.start - began - planning + time.perf_counter() - at
    costs = replace(costs, start=start)
    keep_costs(config, costs)
    return caller, costs


def _until_gone(address: str) -> None:
    """Wait until a server that nobody uses any more has ended."""
    from flows.server.local import healthy

    deadline = time.monotonic() + SERVER_END_SECONDS
    while healthy(address) and time.monotonic() < deadline:
        time.sleep(0.2)
