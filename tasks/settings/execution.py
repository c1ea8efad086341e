"""Section `execution`: limits of programs in the sandbox."""

from __future__ import annotations

from pydantic import Field

from tasks.settings.section import Section


class ExecutionSettings(Section):
    """How the programs of code problems are tested; read for no other problems."""

    time_limit: float = Field(
        default=4.0,
        gt=0.0,
        le=600.0,
        description="Seconds of processor time for each test, the limit of the APPS authors' own "
        "scorer; wall time is limited to three times that.",
    )
    memory_mb: int = Field(
        default=512,
        ge=16,
        le=65_536,
        description="Megabytes of memory for each test, beside the interpreter's own. Not in the "
        "paper.",
    )
