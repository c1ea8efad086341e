"""restem from Python: load a configuration, run it, read what came of it (docs/python.md)."""

from flows.api.reading import Run, read_run
from flows.api.running import resume, run
from flows.api.samples import Problem, ScoredSample
from flows.config.rest_em import RestEmConfig, load_config
from tasks.errors import StepError, UserError

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
