"""The undisturbed runs of `restem bench chaos`, in one process: CONFIGURATION ..., as JSON."""

from __future__ import annotations

import sys

from flows.config.rest_em import RestEmConfig
from flows.server.local import prefect_server


def main() -> None:
    """Do the runs, one after another."""
    with prefect_server():
        from flows.rest_em.flow import rest_em

        for text in sys.argv[1:]:
            rest_em(RestEmConfig.model_validate_json(text))


if __name__ == "__main__":
    main()
