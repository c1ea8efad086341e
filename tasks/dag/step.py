"""A step of the DAG: a pure function from settings and input artifacts to one output artifact.

The store is the truth about what exists; Prefect's record of a task is what its UI shows. A call
is therefore looked up in the store first (and verified, byte for byte): if the payload is gone or
damaged the Prefect record is refreshed, and if a kill fell between commit and record, the task
runs once more only to find its artifact there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from tasks.dag.runtime import Runtime
from tasks.errors import UserError
from tasks.metering import metered
from tasks.rows import Json
from tasks.store.heal import make_room
from tasks.store.manifest import ArtifactRef, Damage, Provenance, Refused, step_key
from tasks.store.read_only import needs_writing
from tasks.store.store import Draft, Store


@dataclass(frozen=True)
class Call:
    """One use of a step. `hints` and `context` locate things and are not in the key."""

    step: Step
    label: str
    settings: Json
    inputs: dict[str, ArtifactRef] = field(default_factory=dict[str, ArtifactRef])
    hints: Json = field(default_factory=Json)
    context: dict[str, ArtifactRef] = field(default_factory=dict[str, ArtifactRef])

    @cached_property
    def key(self) -> str:
        """Cache key: step, version, settings and the digests of the inputs."""
        digests = {name: ref.digest for name, ref in self.inputs.items()}
        return step_key(self.step.name, self.step.version, self.settings, digests)


@dataclass(frozen=True)
class Step:
    """A named, versioned function that fills a draft.

    Attributes:
        name: Shown in Prefect and in keys.
        kind: Folder of its artifacts in the store.
        version: Raise it when the function starts to give something else for the same inputs.
    """

    name: str
    kind: str
    version: int
    fill: Callable[[Call, Draft, Runtime], None]


def record_key(call: Call) -> str:
    """Name of Prefect's record of a call in its result storage."""
    return f"{call.step.name}-{call.key}"


def step(
    name: str, kind: str, version: int = 1
) -> Callable[[Callable[[Call, Draft, Runtime], None]], Step]:
    """Make a step of the decorated function."""
    return lambda fill: Step(name, kind, version, fill)


def find_artifact(call: Call, store: Store, say: Callable[[str], None]) -> ArtifactRef | None:
    """The artifact of a call if it is whole; damage is said and set aside.

    Raises:
        UserError: it is there, may not be taken here, and is not ours to remove.
    """
    try:
        return store.lookup(call.step.kind, call.key)
    except Refused as refused:
        raise UserError(f"{refused}; no run takes or replaces it ({call.label})") from None
    except Damage as damage:
        say(f"{damage}; it is built again")
        waits = partial(say, f"another run makes {call.label} now; waiting for it")
        with needs_writing(store.root):
            return make_room(store, call.step.kind, call.key, waits)


class RemoteRuntime:
    """In the place of a runtime: another process performs the call."""

    def __init__(self, perform: Callable[[Call], ArtifactRef]) -> None:
        """Use `perform`, which blocks until the artifact is there."""
        self.perform = perform


def waits_for(call: Call, runtime: Runtime) -> Callable[[], None]:
    """Says that another run makes the artifact of a call."""

    def said() -> None:
        if runtime.says_waits:
            runtime.say(f"another run makes {call.label} now; waiting for it")

    return said


def perform(call: Call, runtime: Runtime | RemoteRuntime) -> ArtifactRef:
    """Do the work of a call, unless its artifact is already there."""
    if isinstance(runtime, RemoteRuntime):
        return runtime.perform(call)
    store, kind, key = runtime.store, call.step.kind, call.key
    if (ref := store.lookup(kind, key)) is not None:
        return ref
    with store.claim(kind, key, waits_for(call, runtime)):
        if (ref := store.lookup(kind, key)) is not None:
            return ref
        started = time.perf_counter()
        with store.draft(kind, key) as draft:
            with metered() as meter:
                call.step.fill(call, draft, runtime)
            seconds = time.perf_counter() - started - draft.waited
            draft.stats = replace(
                draft.stats,
                seconds=round(seconds, 3),
                **meter.costs(),
                provenance=provenance(call),
            )
        shutil.rmtree(runtime.work(key), ignore_errors=True)
        ref = store.lookup(kind, key)
    assert ref is not None
    return ref


def provenance(call: Call) -> Provenance:
    """What went into a call, for the manifest."""
    step = call.step
    return Provenance(
        step.name, step.version, call.label, call.settings, call.inputs, call.context, call.hints
    )
