"""Steps on a Ray cluster: engines and scorers are actors, fine-tuning is a task of prefect-ray.

Sampling needs a model that stays loaded, so each of `resources.engines` is a Ray actor that holds
its GPUs from the first shard of a stage to the last; then it is ended, and fine-tuning may have
them. Scoring needs checkers or containers that stay up: for every engine there is an actor that
scores, which asks for no core, for a shard is scored in less time than a process is started in.
Fine-tuning is a Prefect task on prefect-ray's task runner. What a lost worker was at is done again
by another: artifacts are committed whole or not at all, so results do not change.

Not covered: a policy that needs several machines (vLLM's own Ray backend does that).
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from prefect import State

from flows.machines.local import IN_FLIGHT
from flows.machines.ray_worker import RayWorker, WorkerSpec
from tasks.dag.prefect_task import StepTask
from tasks.dag.step import Call
from tasks.dag.step_names import FINETUNE, GENERATE, SCORE
from tasks.errors import StepError, UserError
from tasks.store.store import ArtifactRef

if TYPE_CHECKING:
    from prefect_ray import RayTaskRunner
    from ray.actor import ActorHandle

# Shares of a core that Ray reckons with. Two engines fit on a worker of one core, should the other
# worker be lost. The others ask for none: how much goes on at once is decided by the pipeline, and
# engines that hold every core must not keep them waiting for ever.
ENGINE_CPUS, OTHER_CPUS = 0.5, 0.0
# An engine that finds no place for so long after another was lost is done without.
PLACE_SECONDS = 60.0
CONNECT_SECONDS = 10.0
# Workers that may be lost under one shard or step.
_ATTEMPTS = 4
ACTOR_STEPS = (GENERATE, SCORE)  # by actors
TASK_STEPS = (FINETUNE,)  # by prefect-ray


@contextlib.contextmanager
def open_cluster(spec: WorkerSpec, say: Callable[[str], None]) -> Iterator[RayCluster]:
    """A connection to the cluster of `resources.ray_address`.

    Args:
        spec: Surroundings of the steps on the workers.
        say: Told when a worker was lost.

    Raises:
        UserError: Ray is not installed, or there is no cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from prefect_ray import RayTaskRunner
    except ImportError:
        raise UserError(
            "resources.ray_address: Ray is not installed; pip install 'restem[ray]'"
        ) from None
    address = spec.resources.ray_address
    if not ray.is_initialized():
        _check(address)
        try:
            ray.init(
                address,
                namespace="restem",
                log_to_driver=False,
                logging_level=logging.ERROR,
                # Before a worker looks for what we send it.
                runtime_env={"worker_process_setup_hook": "restem.use_own_names"},
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            said = str(error).split("\n")[0]
            raise UserError(f"resources.ray_address: no cluster at {address!r} ({said})") from None
    with RayTaskRunner(address=address) as runner:
        found = RayCluster(runner, spec, say)
        try:
            yield found
        finally:
            found.close()
            ray.shutdown()


def _check(address: str) -> None:
    """See that somebody listens: Ray itself would ask for minutes.

    Raises:
        UserError: nobody does, or it is no address.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS):
            return
    except (OSError, ValueError) as error:
        raise UserError(
            f"resources.ray_address: no cluster at {address!r} ({error}); expected auto, host:port "
            "or ray://host:port of one"
        ) from None


class RayCluster:
    """Performs calls on workers; from several threads at once."""

    def __init__(self, runner: RayTaskRunner, spec: WorkerSpec, say: Callable[[str], None]) -> None:
        """See `open_cluster`."""
        import ray

        resources = spec.resources
        self._runner, self._spec, self._say = runner, spec, say
        has_gpus = ray.cluster_resources().get("GPU", 0) > 0
        self._gpus = resources.gpus_per_engine if has_gpus else 0
        self._train_gpus = resources.train_processes if has_gpus else 0
        count = resources.engines
        self._pools = {
            GENERATE: ActorPool(spec, say, count, IN_FLIGHT, ENGINE_CPUS, self._gpus),
            SCORE: ActorPool(spec, say, count, 1, OTHER_CPUS),
        }

    def perform(self, call: Call) -> ArtifactRef:
        """Perform a call of one of ACTOR_STEPS on an actor."""
        return self._pools[call.step.name].perform(call)

    def run(self, task: StepTask, call: Call) -> State:
        """Run a step's Prefect task on a worker, and again where that is lost."""
        from prefect_ray.context import remote_options

        gpus = self._train_gpus if call.step.name == FINETUNE else 0
        for attempt in range(1, _ATTEMPTS + 1):
            with remote_options(
                num_cpus=OTHER_CPUS, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD"
            ):
                future = self._runner.submit(
                    task, {"call": call, "runtime": self._spec}, wait_for=None
                )
            future.wait()
            if not future.state.is_crashed() or attempt == _ATTEMPTS:
                return future.state
            self._say(f"a worker was lost with {call.label}; another one makes it")
        raise AssertionError("unreachable")

    def release_engines(self) -> None:
        """End the engines, so that their GPUs are free for the next stage."""
        if self._gpus:
            self._pools[GENERATE].close()
        else:  # nothing is held that others need: the actors keep what they imported
            self._pools[GENERATE].release()

    def close(self) -> None:
        """End all actors; what they are busy with fails."""
        for pool in self._pools.values():
            pool.close()


class ActorPool:
    """Actors that do one kind of work, each on a machine of its own as far as there are any."""

    def __init__(
        self,
        spec: WorkerSpec,
        say: Callable[[str], None],
        count: int,
        at_once: int,
        cpus: float,
        gpus: int = 0,
    ) -> None:
        """Nothing is started yet; an actor asks Ray for `cpus` and `gpus`, has `at_once` calls."""
        import ray

        self._ray, self._spec, self._say, self._count = ray, spec, say, count
        self._new_actor = ray.remote(RayWorker).options(
            num_cpus=cpus,
            num_gpus=gpus,
            max_concurrency=at_once,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )
        self._actors: dict[int, ActorHandle] = {}
        self._closed = set[int]()
        self._lock = threading.Lock()
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for _ in range(at_once):
            for slot in range(count):
                self._slots.put(slot)

    def perform(self, call: Call) -> ArtifactRef:
        """Perform a call on one of the actors."""
        for _ in range(_ATTEMPTS):
            slot = self._slots.get()
            actor = self._actor(slot)
            try:
                if not self._placed(actor, slot):
                    continue
                ref, said = self._ray.get(actor.perform.remote(call))
                for text in said:
                    self._say(text)
                return ref
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayActorError:
                self._say(f"a worker was lost with {call.label}; another one makes it")
                self._forget(slot, actor)
            finally:
                if slot not in self._closed:
                    self._slots.put(slot)
        raise StepError(f"{call.label}: {_ATTEMPTS} workers were lost in turn")

    def release(self) -> None:
        """Let every actor end what holds memory between stages."""
        with self._lock:
            actors = list(self._actors.values())
        for actor in actors:
            actor.release.remote()

    def close(self) -> None:
        """End the actors; what they are busy with fails."""
        with self._lock:
            actors, self._actors = list(self._actors.values()), {}
        for actor in actors:
            self._ray.kill(actor)

    def _placed(self, actor: ActorHandle, slot: int) -> bool:
        """Whether an actor found a machine; a slot for which there is none is closed."""
        alone = self._count - len(self._closed) == 1  # there is nothing to do but wait
        ready, _ = self._ray.wait([actor.ready.remote()], timeout=None if alone else PLACE_SECONDS)
        if ready:
            return True
        self._say("there is no place for one of the engines; the others go on without it")
        self._closed.add(slot)
        self._forget(slot, actor)
        self._ray.kill(actor)
        return False

    def _actor(self, slot: int) -> ActorHandle:
        with self._lock:
            if slot not in self._actors:
                self._actors[slot] = cast("ActorHandle", self._new_actor.remote(self._spec))
            return self._actors[slot]

    def _forget(self, slot: int, actor: ActorHandle) -> None:
        with self._lock:
            if self._actors.get(slot) is actor:
                del self._actors[slot]
