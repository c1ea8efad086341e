"""What runs on a Ray worker: engines and checkers that live through a stage, and single steps.

A worker is one machine's share of a run. It opens the store by its address, keeps copies of models
under its own RESTEM_HOME, and starts engines and checkers as any machine does
(flows/machines/local.py).
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import Any

from tasks.dag.runtime import Runtime, home, open_store
from tasks.dag.step import Call, perform
from tasks.rows import Json
from tasks.settings import Resources
from tasks.store.store import ArtifactRef

_services: dict[str, Any] = {}
_said: list[str] = []


class Sent:
    """Stands for the surroundings of a step on its way to a worker, where it becomes them."""

    def __init__(self, spec: Json) -> None:
        """Remember what to build.

        Args:
            spec: resources, sandbox, run (its id) and home (used where RESTEM_HOME is not set).
        """
        self.spec = spec

    def __reduce__(self) -> tuple[Any, ...]:
        """What unpickling calls."""
        return runtime_here, (self.spec,)


def runtime_here(spec: Json) -> Runtime:
    """The surroundings of steps in this process, made once."""
    from flows.machines.local import Services

    os.environ.setdefault("RESTEM_HOME", spec["home"])
    if spec["run"] not in _services:
        # `engines` counts the actors of the cluster; each of them has one engine and all its GPUs.
        resources = Resources(**{**spec["resources"], "engines": 1})
        logs = Path(home() / "runs" / spec["run"] / "logs")
        made = Services(
            open_store(resources), logs, resources, lambda *_: None, sandbox=spec["sandbox"]
        )
        made.runtime.say = _said.append
        atexit.register(made.close)
        _services[spec["run"]] = made
    return _services[spec["run"]].runtime


class Hand:
    """The body of an actor: samples with one engine, or scores with one pool, until it is ended."""

    def __init__(self, sent: Sent | Runtime) -> None:
        """Build the surroundings; the engine is started at the first shard."""
        assert isinstance(sent, Runtime)
        self._runtime = sent

    def ready(self) -> None:
        """Answered as soon as the actor has a place."""

    def release(self) -> None:
        """End the engine, between stages."""
        for services in _services.values():
            services.release_engine()

    def perform(self, call: Call) -> tuple[ArtifactRef, list[str]]:
        """Do the work of a call, or find it done; and what is to be said of it."""
        ref = perform(call, self._runtime)
        said = _said[:]
        _said.clear()
        return ref, said
