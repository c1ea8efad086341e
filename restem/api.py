"""restem from Python: load a configuration, run it, read what came of it (docs/python.md)."""

from flows.api import (
    Problem,
    RestEmConfig,
    Run,
    ScoredSample,
    StepError,
    UserError,
    load_config,
    read_run,
    resume,
    run,
)

__all__ = [
    "Problem",
    "RestEmConfig",
    "Run",
    "ScoredSample",
    "StepError",
    "UserError",
    "load_config",
    "read_run",
    "resume",
    "run",
]
