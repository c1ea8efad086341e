"""Which processes on this host belong to which flow run.

A worker and `restem serve` start a flow run as `python -m prefect.engine` (or
flows.station.start_flow_run, which becomes that) with the run's id in its environment. That is a
surer sign than a process id, which may have been given to another process since.
"""

from __future__ import annotations

from pathlib import Path

_RUN = b"PREFECT__FLOW_RUN_ID="
_MODULES = (b"prefect.engine", b"prefect.flow_engine", b"flows.station.start_flow_run")


def engines(api: str) -> dict[int, str]:
    """Processes that are a flow run of the server at `api`: their ids, and the flow runs'."""
    found = {}
    mark = f"PREFECT_API_URL={api}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if not _is_engine((entry / "cmdline").read_bytes()):
                continue
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended, or somebody else's
        runs = [value for value in environment if value.startswith(_RUN)]
        if runs and mark in environment:
            found[int(entry.name)] = runs[0].removeprefix(_RUN).decode()
    return found


def _is_engine(command: bytes) -> bool:
    return any(part in _MODULES for part in command.split(b"\0"))
