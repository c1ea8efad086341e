"""A run in this process, with a Prefect server around it, for `restem run` and for `run`.

A process can do this for one home only: Prefect reads its settings when it is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tasks.errors import StepError
from tasks.rows import Json

if TYPE_CHECKING:
    from pathlib import Path

    from prefect import State

    from flows.config.rest_em import RestEmConfig


class AwaitsReview(Exception):
    """The run came to a person's review; the message says how to go on."""


def start(config: RestEmConfig) -> Json:
    """Run a configuration, or resume it, and return where the report and the policies are.

    Raises:
        UserError: the user's mistake.
        StepError: a step failed, or somebody interrupted the run.
        AwaitsReview: it waits for a person.
    """
    from flows.machines.local import warm_up
    from flows.runs.journal import is_completed
    from flows.server.local import prefect_environment, prefect_server, server_is_there

    if not is_completed(config.run_id):
        warm_up()
    elif not server_is_there():
        from flows.rest_em.cached import cached_run

        prefect_environment()  # before anything imports it
        if (found := cached_run(config)) is not None:
            return found
    with prefect_server():
        from flows.rest_em.flow import AWAITS, rest_em

        try:
            state = cast("State[dict[str, object]]", rest_em(config, return_state=True))
        except KeyboardInterrupt:  # typer would end with a word of its own
            raise StepError("interrupted; the same command resumes it") from None
        if state.name == AWAITS:
            raise AwaitsReview(state.message)
        return state.result()


def failure(error: Exception) -> str:
    """A failure of ours in one line, which says where its traceback is kept."""
    said = f"{type(error).__name__}: {error}"
    try:
        return f"{said} (log: {_keep_traceback(error)})"
    except OSError as other:
        return f"{said} (no log could be kept: {other})"


def _keep_traceback(error: Exception) -> Path:
    import traceback

    from tasks.dag.runtime import home

    path = home() / "logs" / "failure.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return path
