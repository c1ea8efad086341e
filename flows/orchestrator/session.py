"""Everything that a flow run needs around its steps, begun with it and ended with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import Pause
from prefect.runtime import flow_run

from flows.config.deployment_file import tags_of
from flows.machines.local import LocalMachine
from flows.machines.ray_worker import WorkerSpec
from flows.orchestrator.deployed import deployed
from flows.orchestrator.prefect_caller import OneLine, PrefectCaller
from flows.orchestrator.review import AwaitsReview
from flows.runs.child_logs import ChildLogs
from flows.runs.console import Console
from flows.runs.journal import Journal, sole
from flows.runs.journal_forms import State
from flows.runs.lost_store import see_store, without_rebuild
from flows.runs.store_use import in_use
from flows.server.cancel import watch
from tasks.dag.runtime import home, open_store, written_folders
from tasks.errors import StepError, UserError
from tasks.settings import Resources
from tasks.settings.user_function import UserFunction
from tasks.system_error import system_error

# The deployment of all studies, which have no name of their own.
STUDIES = "studies"
# The loggers of Prefect's engines, which would write a traceback for every exception.
for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(OneLine())


@contextmanager
def session(
    run_id: str,
    config: dict[str, object],
    resources: Resources,
    sandbox: dict[str, object] | None,
    flow: str,
    *,
    functions: Sequence[UserFunction] = (),
    brief: bool = False,
) -> Iterator[PrefectCaller]:
    """Everything that a flow run needs, ended with it; how it ends is written in its journal.

    Of equal runs that are started at once one does the work, and the others wait for it.

    Args:
        sandbox: What will be asked of the sandbox, if anything.
        functions: The user's own, that steps will call.
        brief: Of many runs in one flow: no line and no table row for each step.
    """
    logger = get_run_logger()
    _tag(flow, config)
    with Console(run_id, brief=brief) as console:

        def said(text: str) -> None:
            console.say(text)
            logger.info(text)

        def waits() -> None:
            said(f"{run_id} is under way elsewhere; waiting for it, to take what it makes")

        with sole(run_id, waits):
            store = open_store(resources)
            see_store(run_id, store, resources)
            journal = Journal(run_id, without_rebuild(config), flow, str(flow_run.id or ""))
            try:
                with (
                    in_use(store, run_id, said),
                    watch(flow_run.id),
                    ChildLogs(journal.logs, logger),
                    LocalMachine(
                        store,
                        journal.logs,
                        resources,
                        console.progress,
                        sandbox=sandbox,
                        functions=functions,
                    ) as machine,
                ):
                    store.sweep_drafts()
                    if not resources.ray_address:
                        yield PrefectCaller(machine, journal, console).begun()
                        return
                    from flows.machines.ray_cluster import open_cluster

                    spec = WorkerSpec(resources, sandbox, run_id, str(home()), tuple(functions))
                    with open_cluster(spec, console.say) as ray:
                        yield PrefectCaller(machine, journal, console, ray).begun()
            except BaseException as error:
                refused = _system_error(error, resources.store)
                # On a full disk the journal keeps what it last was: under way, and then
                # interrupted.
                with suppress(OSError):
                    if isinstance(error, UserError) and journal.is_no_run:
                        journal.discard()
                    else:
                        journal.end(_how_it_ended(error), error=refused or _said(error))
                if refused:
                    raise StepError(refused) from error
                raise


def _tag(flow: str, config: dict[str, object]) -> None:
    """Give a run of the command line the tags that one of a deployment has.

    Not by Prefect's `tags`, which its task runs would have too: each asks the server for them.
    """
    if deployed() or flow_run.tags:
        return
    if tags := tags_of(flow, str(config.get("name", STUDIES))):
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, tags=tags)


def _system_error(error: BaseException, store: str) -> str:
    ours = isinstance(error, UserError | AwaitsReview | Pause)
    return (
        system_error(error, written_folders(store))
        if isinstance(error, Exception) and not ours
        else ""
    )


def _how_it_ended(error: BaseException) -> State:
    if isinstance(error, Pause | AwaitsReview):
        return "awaits review"
    return "failed" if isinstance(error, Exception) else "interrupted"


def _said(error: BaseException) -> str:
    """The error as a person reads it: ours say all themselves."""
    plain = isinstance(error, UserError | StepError | AwaitsReview)
    return str(error) if plain else f"{type(error).__name__}: {error}"
