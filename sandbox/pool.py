"""A pool of warm containers: jobs go in, verdicts come out in the same order, none is lost.

A container that faults is replaced and its job runs again elsewhere; only a job that faults
CONTAINER_ATTEMPTS containers is a `sandbox_error`, which is a statement about the sandbox and never
one about the program. Where the engine does not answer or starts no container, as when it is being
restarted, jobs wait for it; after ENGINE_PATIENCE_SECONDS the caller is told, and nothing is said
of any program. No code is ever run on the host.
"""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import docker
import docker.errors

from sandbox.awake import awake
from sandbox.checker import run_checked
from sandbox.container import Container, NoContainer, SandboxFault
from sandbox.images import build_command, languages_of
from sandbox.inside.limits import (
    COMPILE_RESIDENT,
    CONTAINER_ATTEMPTS,
    ENGINE_PATIENCE_SECONDS,
    ENGINE_PAUSE_SECONDS,
    JOBS_A_CONTAINER,
    JOBS_AHEAD,
)
from sandbox.owner import engine_api, remove_leftovers, remove_pool
from sandbox.verdict import Job, ProgramStatus, Report, Verdict, judge_test


class NoEngine(Exception):
    """There is no Docker engine to be used; the message says how to get one."""


def connect() -> docker.DockerClient:
    """The Docker engine of this machine (or that of DOCKER_HOST).

    Raises:
        NoEngine: in one line, why not and what to do.
    """
    try:
        client = docker.from_env(timeout=60)
        engine_api(client).ping()
        return client
    except docker.errors.DockerException as error:
        text = str(error)
    if "ermission" in text:
        raise NoEngine(
            "no permission to use the Docker engine; add yourself to the group docker, or set "
            "DOCKER_HOST to a rootless engine"
        )
    raise NoEngine(
        "no Docker engine answers; install one (Debian: apt-get install docker.io), start it, or "
        "set DOCKER_HOST"
    )


class SandboxPool:
    """Containers for as many jobs at once as there are workers; a context manager."""

    def __init__(
        self,
        image: str,
        *,
        workers: int = 0,
        memory: int = 256 * 2**20,
        runtime: str | None = None,
    ) -> None:
        """Find engine and image; containers are started when they are first needed.

        Args:
            workers: Containers; 0: one for each core.
            memory: Largest `Limits.memory` of the jobs, in bytes.
            runtime: Of the engine; None: its default.

        Raises:
            NoEngine: no engine, or no such image in it.
        """
        self._client = connect()
        try:
            self.image = str(self._client.images.get(image).id)
        except docker.errors.ImageNotFound:
            raise NoEngine(f"image {image} is missing; run `{build_command(image)}`") from None
        self.workers = workers or os.cpu_count() or 1
        # Of an image with a compiler a job may need what that needs.
        compiles = "cpp" in languages_of(image)
        self._memory = max(memory, COMPILE_RESIDENT) if compiles else memory
        self._runtime = runtime
        self._free: queue.SimpleQueue[Container | None] = queue.SimpleQueue()
        for _ in range(self.workers):
            self._free.put(None)
        self._threads = ThreadPoolExecutor(self.workers, "sandbox")
        self._closed = False
        self._name = secrets.token_hex(8)
        self._down_since: float | None = None
        self._lock = threading.Lock()
        self.started = 0
        with contextlib.suppress(docker.errors.APIError, OSError):
            remove_leftovers(self._client)

    def submit(self, job: Job) -> Future[Verdict]:
        """Run a job when a worker is free."""
        return self._threads.submit(self.judge_now, job)

    def run(self, jobs: Iterable[Job]) -> Iterator[Verdict]:
        """Verdicts in the order of the jobs, which are taken as they are needed."""
        waiting: list[Future[Verdict]] = []
        for job in jobs:
            waiting.append(self.submit(job))
            if len(waiting) >= self.workers * JOBS_AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    def close(self) -> None:
        """Remove all containers; what still runs is not judged."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(docker.errors.APIError, OSError):
            remove_pool(self._client, self._name)  # nobody waits for a program that is asleep
        self._threads.shutdown()
        with contextlib.suppress(queue.Empty):
            while True:
                container = self._free.get_nowait()
                if container is not None:
                    container.close()
        # What the engine could not be told to remove while it did not answer.
        with contextlib.suppress(docker.errors.APIError, OSError):
            remove_pool(self._client, self._name)
        self._client.close()

    def __enter__(self) -> SandboxPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def judge_now(self, job: Job) -> Verdict:
        """Run a job in the calling thread, as soon as a container is free.

        Raises:
            NoEngine: the engine starts no container any more, or the pool was closed; that is no
                verdict on a program.
        """
        fault = ""
        faults = 0
        while faults < CONTAINER_ATTEMPTS:
            time.sleep(ENGINE_PAUSE_SECONDS * faults)
            if self._closed:
                raise NoEngine("the pool of sandboxes was closed")
            container = self._free.get()
            try:
                if container is None or container.jobs >= JOBS_A_CONTAINER:
                    container = self._replace(container)
                return self._judge(job, container)
            except NoContainer as error:
                container = None
                if error.lasting or not self._wait():
                    raise NoEngine(f"the Docker engine starts no sandbox: {error}") from None
            except SandboxFault as error:
                fault = str(error)
                faults += 1
                if container is not None:
                    container.close()
                container = None
            except Exception as error:  # whatever a job holds: its own verdict, and no other's
                fault = f"{type(error).__name__}: {error}"
                faults = CONTAINER_ATTEMPTS
                if container is not None:
                    container.close()
                container = None
            finally:
                self._free.put(container)
        total = len(job.tests)
        return Verdict(ProgramStatus.SANDBOX_ERROR, 0, total, None, 0.0, self.image, fault)

    def _replace(self, old: Container | None) -> Container:
        if old is not None:
            old.close()
        new = Container(
            self._client, self.image, memory=self._memory, runtime=self._runtime, pool=self._name
        )
        with self._lock:
            self.started += 1
            self._down_since = None
        return new

    def _wait(self) -> bool:
        """Wait a little for an engine that starts no container; False if it was for too long."""
        with self._lock:
            since = self._down_since = self._down_since or awake()
        if self._closed or awake() - since > ENGINE_PATIENCE_SECONDS:
            return False
        time.sleep(ENGINE_PAUSE_SECONDS)
        return True

    def _judge(self, job: Job, container: Container) -> Verdict:
        reports: list[tuple[ProgramStatus, Report]] = []

        def seen(number: int, report: Report) -> bool:
            if number != len(reports) or number >= len(job.tests):
                raise SandboxFault("reports out of order")
            call = (job.entry or job.judge) is not None
            status = judge_test(job.tests[number], report, call=call, rule=job.rule)
            reports.append((status, report))
            return status is ProgramStatus.CORRECT or not job.stop_at_failure

        started = time.perf_counter()
        if job.checker is None:
            container.run(job, seen)
        else:
            reports += run_checked(container.run, job)
        busy = time.perf_counter() - started
        failures = [
            i for i, (status, _) in enumerate(reports) if status is not ProgramStatus.CORRECT
        ]
        if not failures and len(reports) < len(job.tests):
            raise SandboxFault("reports are missing")
        first = failures[0] if failures else None
        considered = reports
        if first is not None and job.stop_at_failure:
            considered = reports[: first + 1]
        return Verdict(
            status=reports[first][0] if first is not None else ProgramStatus.CORRECT,
            passed=sum(status is ProgramStatus.CORRECT for status, _ in considered),
            total=len(job.tests),
            first_failure=first,
            seconds=round(sum(report["cpu"] for _, report in considered), 4),
            image=self.image,
            detail=reports[first][1]["stderr"][-500:] if first is not None else "",
            busy=round(busy, 4),
        )
