"""A finished run that is asked for again: all of it is found, and no server is started for that.

The same loop, with a caller that only looks up. Prefect's UI then shows the run that made the
artifacts, and no other one. Where a server is there already the run goes through it, as any other.
"""

from __future__ import annotations

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.cached_caller import CachedCaller, NotCached
from flows.rest_em.ending import FLOW, TITLE, Ending
from flows.rest_em.loop import Loop
from flows.rest_em.summary import report_call
from flows.runs.console import Console
from flows.runs.journal import LOCK, Journal, read_head, sole
from flows.runs.lost_store import without_rebuild
from flows.runs.next_steps import write_page
from flows.runs.store_use import in_use
from tasks.dag.runtime import home, open_store
from tasks.rows import Json
from tasks.store.locks import is_held


def cached_run(config: RestEmConfig) -> Json | None:
    """What the flow returns for a finished run; None where there is anything to do for it.

    Raises:
        UserError: the configuration cannot be run here.
    """
    folder = home() / "runs" / config.run_id
    if config.fresh_seed or config.review or config.tracking or is_held(folder / LOCK):
        return None
    store = open_store(config.resources)
    if store.id is None:
        return None
    with sole(config.run_id, lambda: None), in_use(store, config.run_id, print):
        caller = CachedCaller(store)
        try:
            outcome = Loop(config, caller).run()
            report = caller.call(report_call(config, outcome), config.iterations, "report")
        except NotCached:
            return None
        before = read_head(folder)  # with the flow run that made it
        ending = Ending.of(config, outcome, store, report)
        with Console(config.run_id) as console:
            head = without_rebuild(config.model_dump())
            journal = Journal(config.run_id, head, FLOW, before.flow_run)
            caller.tell(console, journal)
            page = write_page(store.path(report), journal.folder, ending.then)
            journal.end("completed", report=str(page), policies=ending.policies)
            console.finish(TITLE, ending.table, page, ending.then.lines)
        return ending.to_json(page)
