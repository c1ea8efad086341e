"""Registers restem with the Prefect server of docker-compose.yml: two jobs of its services.

    register.py            the work pool, the deployments of prefect.yaml, the automations
    register.py --ended    marks runs Crashed that a killed worker left Running, so that the next
                           one gets the pool's one slot; run before the worker starts

It differs from `restem up` in two things: this server asks for a password, and the worker's runs
die with its container, so they are started as Prefect does by default.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.server.api import Api

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    """Do one of the two jobs."""
    from flows.server.api import Api
    from flows.station.deployments import POOL
    from flows.station.reaper import Reaper

    api = Api(os.environ["PREFECT_API_URL"])
    if sys.argv[1:] == ["--ended"]:
        for line in Reaper(api, POOL).look(at_once=True):
            print(line)
    else:
        for name in _register(api):
            print(name)


def _register(api: Api) -> list[str]:
    from flows.station import automations, deployments

    template = deployments.closed_template(command="python -m prefect.engine", stream_output=True)
    deployments.ensure_pool(api, template)
    # As the server's services reach the pages; RESTEM_PAGES_URL is how a browser does.
    automations.register_automations(os.environ["RESTEM_NOTICES_URL"])
    return deployments.register_deployments(api)


if __name__ == "__main__":
    main()
