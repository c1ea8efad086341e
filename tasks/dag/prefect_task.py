"""How a step becomes a Prefect task whose result is cached by our own key.

Prefect's default policy shares nothing between runs and hashes Python objects; ours is the step's
key, so a run, its retry in the UI and a scheduled re-run all find the same results. Only the small
reference is persisted, as plain JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import prefect
from prefect import Task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, StateType
from prefect.futures import PrefectFuture

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, Step, perform, record_key
from tasks.durable import write_whole
from tasks.store.locks import alone
from tasks.store.manifest import ArtifactRef


@dataclass
class StepKey(CachePolicy):
    """The cache key is the step's key; nothing else about the task matters."""

    def compute_key(
        self, task_ctx: object, inputs: dict[str, Call], flow_parameters: object, **_: object
    ) -> str:
        """Key of the call that the task was given."""
        return record_key(inputs["call"])


# Prefect keeps a reference in its JSON.
StepTask = Task[..., dict[str, object]]
_TASKS: dict[str, StepTask] = {}


def prefect_task_of(step: Step) -> StepTask:
    """The Prefect task of a step, made once."""
    if step.name not in _TASKS:

        def run(call: Call, runtime: Runtime) -> dict[str, object]:
            return perform(call, runtime).to_json()

        _TASKS[step.name] = Task(
            fn=run,
            name=step.name,
            description=(step.fill.__doc__ or "").split("\n")[0],
            task_run_name="{call.label}",
            cache_policy=StepKey(),
            persist_result=True,
            result_serializer="json",
            # Threads share that cache without a lock, and fail on it once it is full.
            cache_result_in_memory=False,
        )
    return _TASKS[step.name]


class _Done(State[Any]):
    """A completed state that nobody asks for its result."""

    type: StateType = StateType.COMPLETED

    def result(self, *_: object, **__: object) -> None:  # type: ignore[override]
        """Nothing; Prefect would read a file for each step that a step waits for."""


_DONE = _Done()


class FinishedTaskRun(PrefectFuture[None]):
    """The task run of an artifact that is there, for `wait_for`: an edge in Prefect's graph.

    A state would do too, but Prefect reads the result of each and walks through all its fields,
    which for hundreds of inputs takes longer than the rest of a cached run.
    """

    def __init__(self, task_run_id: UUID) -> None:
        """Name the task run that made or found it."""
        self._id = task_run_id

    @property
    def task_run_id(self) -> UUID:
        """Of the task run."""
        return self._id

    @property
    def state(self) -> State:
        """Completed: there would be no artifact otherwise."""
        return _DONE

    def wait(self, timeout: float | None = None) -> None:
        """There is nothing to wait for."""

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> None:
        """Nothing: steps find artifacts in the store."""

    def add_done_callback(self, fn: Callable[[PrefectFuture[None]], None]) -> None:
        """It is done."""
        fn(self)


def drop_broken_record(call: Call, results: Path) -> bool:
    """Remove Prefect's record of a call when it is not readable; returns whether it was.

    A record is a file that a kill or a full disk may leave damaged; Prefect would fail on it
    rather than run the task again.
    """
    path = results / record_key(call)
    if not path.is_file():
        return False
    try:
        ref = ArtifactRef.from_json(json.loads(json.loads(path.read_bytes())["result"]))
        whole = ref.key == call.key
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        path.unlink()
    return not whole


def record_lock(
    call: Call, results: Path, waits: Callable[[], None] | None
) -> AbstractContextManager[None]:
    """Be the one, of all runs of a home, that has to do with the record of a call.

    Args:
        results: Folder of the records.
        waits: Told once, if another has; None: nobody is told.
    """
    folder = results.with_name(results.name + "-locks")
    folder.mkdir(parents=True, exist_ok=True)
    return alone(folder / record_key(call), waits or (lambda: None))


def keep_record(call: Call, ref: ArtifactRef, results: Path) -> None:
    """Write Prefect's record of an artifact that another machine made, or whose record is lost.

    Records lie on each machine, artifacts may lie in a store that several share. With the record
    Prefect says `Cached` of what nobody does again.
    """
    path = results / record_key(call)
    if path.is_file():
        return
    made = {
        "storage_key": str(path),
        "serializer": {"type": "json"},
        "prefect_version": prefect.__version__,
    }
    record = {"metadata": made, "result": json.dumps(ref.to_json())}
    results.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(record))  # `drop_broken_record` sees what a power cut tore
