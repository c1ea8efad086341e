"""What runs on a Ray worker: engines and checkers that live through a stage, and single steps.

A worker is one machine's share of a run. It opens the store by its address, keeps copies of models
under its own RESTEM_HOME, and starts engines and checkers as any machine does
(flows/machines/local.py).
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flows.machines.local import LocalMachine
from tasks.dag.runtime import Runtime, home, open_store
from tasks.dag.step import Call, perform
from tasks.settings import Resources
from tasks.settings.user_function import UserFunction
from tasks.store.store import ArtifactRef

_machines: dict[str, LocalMachine] = {}
_said: list[str] = []


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker builds the surroundings of steps from; unpickled there, it becomes them.

    Attributes:
        sandbox: What will be asked of the sandbox, if anything.
        home: RESTEM_HOME, where a worker has none of its own.
        functions: The user's own, that are tried before an engine is started.
    """

    resources: Resources
    sandbox: dict[str, object] | None
    run: str
    home: str
    functions: tuple[UserFunction, ...] = ()

    def __reduce__(self) -> tuple[Callable[..., Runtime], tuple[object, ...]]:
        """What unpickling calls."""
        # Selectors and loaders run where the flow does.
        functions = [one.to_json() for one in self.functions if one.kind == "reward"]
        return _runtime_here, (self.resources, self.sandbox, self.run, self.home, functions)


def _runtime_here(
    resources: Resources,
    sandbox: dict[str, object] | None,
    run: str,
    home_there: str,
    functions: list[dict[str, object]],
) -> Runtime:
    """The surroundings of steps in this process, made once."""
    os.environ.setdefault("RESTEM_HOME", home_there)
    if run not in _machines:
        # `engines` counts the actors of the cluster; each of them has one engine and all its GPUs.
        alone = resources.model_copy(update={"engines": 1})
        logs = Path(home() / "runs" / run / "logs")
        machine = LocalMachine(
            open_store(alone),
            logs,
            alone,
            lambda *_: None,
            sandbox=sandbox,
            functions=[UserFunction.from_json(one) for one in functions],
        )
        machine.runtime.say = _said.append
        atexit.register(machine.close)
        _machines[run] = machine
    return _machines[run].runtime


class RayWorker:
    """The body of an actor: samples with one engine, or scores with one pool, until it is ended."""

    def __init__(self, runtime: WorkerSpec | Runtime) -> None:
        """Build the surroundings; the engine is started at the first shard."""
        assert isinstance(runtime, Runtime)
        self._runtime = runtime

    def ready(self) -> None:
        """Answered as soon as the actor has a place."""

    def release(self) -> None:
        """End the engine, between stages."""
        for machine in _machines.values():
            machine.release_engine()

    def perform(self, call: Call) -> tuple[ArtifactRef, list[str]]:
        """Do the work of a call, or find it done; and what is to be said of it."""
        ref = perform(call, self._runtime)
        said = _said[:]
        _said.clear()
        return ref, said
