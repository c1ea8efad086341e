"""One undisturbed run of `restem bench chaos`, in a process of its own: CONFIGURATION as JSON."""

from __future__ import annotations

import sys

from flows.config import RestEmConfig
from flows.server import prefect_server


def main() -> None:
    """Do the run."""
    config = RestEmConfig.model_validate_json(sys.argv[1])
    with prefect_server():
        from flows.rest_em import rest_em

        rest_em(config)


if __name__ == "__main__":
    main()
