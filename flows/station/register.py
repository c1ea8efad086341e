"""Registers the work pool, the deployments and the automations with the station's server.

`restem up` does; and so does the supervisor, when a server has lost them with its database: it runs
`python -m flows.station.register PAGES`, a process of its own, since this imports Prefect.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator

from flows.server import access
from flows.server.address import folder
from flows.server.api import Api, ApiError
from tasks.errors import StepError

# SQLite lets one writer at a time in, and on a busy machine the others queue for long.
_SECONDS = 90.0


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One `up` or `down`, or start of a lean server, at a time."""
    with (folder() / "start.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def register(address: str, pages: str, *, fresh: bool) -> list[str]:
    """Register what is not registered.

    Args:
        address: Of the server's API.
        pages: Of the reports.
        fresh: Whether the pool and the automations may be missing or of before.

    Returns:
        Names of the deployments.

    Raises:
        StepError: the server did not take them.
    """
    from flows.station import automations, deployments

    api = Api(address, _SECONDS)
    try:
        if fresh:
            template = deployments.pool_template(folder(), sys.executable)
            deployments.ensure_pool(api, template)
            automations.register_automations(pages)
        return deployments.register_deployments(api)
    except ApiError as error:
        raise StepError(f"the server did not take the deployments: {error}") from None


def main() -> None:
    """The command line of the module's docstring."""
    with alone():
        register(os.environ[access.API], sys.argv[1], fresh=True)


if __name__ == "__main__":
    main()
