"""Whether a run was started through a deployment."""

from __future__ import annotations

import sys


def deployed() -> bool:
    """Whether the current flow run was started through a deployment, as those of the API are."""
    # Not imported here: Prefect takes its settings when it is first imported, and a command line
    # reads configurations before it has them. Where nobody has imported it there is no flow run.
    prefect = sys.modules.get("prefect.context")
    context = prefect.FlowRunContext.get() if prefect is not None else None
    run = context.flow_run if context is not None else None
    return run is not None and run.deployment_id is not None
