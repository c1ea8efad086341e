"""Containers of killed processes go, those of living ones stay; a slow engine loses no job."""

from __future__ import annotations

import gc
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

import sandbox.owner as owner
import sandbox.pool as pool_module
from sandbox.check import HONEST
from sandbox.container import Container, NoContainer
from sandbox.owner import (
    BORN_LABEL,
    LABEL,
    PLACE_LABEL,
    POOL_LABEL,
    labelled_containers,
    labels,
    remove,
    remove_leftovers,
)
from sandbox.pool import NoEngine, SandboxPool, connect
from sandbox.verdict import Job, Limits, ProgramStatus
from sandbox.verdict import Test as Case

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    client = connect()
    yield client
    client.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy engine may take long to remove a container; a pool that closes waits for it."""
    monkeypatch.setattr(owner, "GONE_SECONDS", 300.0)


def left(client: docker.DockerClient, name: str) -> bool:
    return bool(labelled_containers(client, POOL_LABEL, name))


def goes_away(client: docker.DockerClient, name: str) -> bool:
    """Whether it is gone, or another pool on this engine is just removing it."""
    deadline = time.monotonic() + 300.0
    while left(client, name) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not left(client, name)


def gone_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.mark.parametrize(
    ("changed", "goes"),
    [
        ({LABEL: "dead"}, True),
        ({BORN_LABEL: "1"}, True),
        ({}, False),
        ({LABEL: "dead", PLACE_LABEL: "another boot pid:[1]"}, False),
    ],
    ids=["dead owner", "its id used again", "living owner", "another machine"],
)
def test_what_is_left_over(
    client: docker.DockerClient, image: str, changed: dict[str, str], goes: bool
) -> None:
    name = secrets.token_hex(8)
    marks = {**labels(name), **changed}
    if marks[LABEL] == "dead":
        marks[LABEL] = str(gone_process())
    made = client.api.create_container(image, ["sleep", "9"], labels=marks)["Id"]
    try:
        remove_leftovers(client)
        assert goes_away(client, name) if goes else left(client, name)
    finally:
        remove(client, made)


def test_an_owner_that_nobody_waited_for_is_gone(client: docker.DockerClient, image: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but still in the table
    name = secrets.token_hex(8)
    marks = {**labels(name), LABEL: str(child.pid)}
    made = client.api.create_container(image, ["sleep", "9"], labels=marks)["Id"]
    try:
        remove_leftovers(client)
        assert goes_away(client, name)
    finally:
        child.wait()
        remove(client, made)


KILLED = """
import sys, time
from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, Test
with SandboxPool(sys.argv[1], workers=1) as pool:
    job = Job("import time\\ntime.sleep(900)", (Test("", ""),), limits=Limits(cpu=300.0))
    pool.submit(job)
    while not pool.started:
        time.sleep(0.01)
    print(pool._name, flush=True)
    time.sleep(900)
"""


def test_a_new_pool_removes_what_a_killed_one_left(client: docker.DockerClient, image: str) -> None:
    command = [sys.executable, "-c", KILLED, image]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert left(client, name)
    with SandboxPool(image, workers=1):
        (container,) = labelled_containers(client, POOL_LABEL, name)  # its owner lives
    client.api.pause(container["Id"])  # else it may end by itself when nobody speaks to it
    child.send_signal(signal.SIGKILL)
    child.wait()
    with SandboxPool(image, workers=1):
        assert goes_away(client, name)


def test_a_job_waits_for_an_engine_that_starts_nothing(
    image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[None] = []

    def start(*args: object, **more: object) -> Container:
        tries.append(None)
        if len(tries) <= 2 * pool_module.CONTAINER_ATTEMPTS:
            raise NoContainer("the engine is being restarted")
        return Container(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pool_module, "Container", start)
    monkeypatch.setattr(pool_module, "ENGINE_PAUSE_SECONDS", 0.01)
    with SandboxPool(image, workers=1) as pool:
        assert pool.judge_now(HONEST).status is ProgramStatus.CORRECT
    tries.clear()
    monkeypatch.setattr(pool_module, "ENGINE_PATIENCE_SECONDS", 0.0)
    # No verdict: nobody can say anything about the program.
    with SandboxPool(image, workers=1) as pool, pytest.raises(NoEngine, match="restarted"):
        pool.judge_now(HONEST)


def test_what_the_engine_refuses_is_said_at_once(image: str) -> None:
    pool = SandboxPool(image, workers=1, runtime="nonesuch")
    with pool, pytest.raises(NoEngine, match="nonesuch"):
        pool.judge_now(HONEST)


def test_closing_does_not_wait_for_a_program(client: docker.DockerClient, image: str) -> None:
    sleeper = Job("import time\ntime.sleep(600)", (Case("", ""),), limits=Limits(cpu=300.0))
    with SandboxPool(image, workers=1) as pool:
        future = pool.submit(sleeper)
        deadline = time.monotonic() + 300.0
        while not pool.started and time.monotonic() < deadline:
            time.sleep(0.02)
    with pytest.raises(NoEngine, match="closed"):
        future.result(timeout=300.0)
    assert not left(client, pool._name)


def test_closing_removes_what_the_pool_lost_sight_of(
    client: docker.DockerClient, image: str
) -> None:
    with SandboxPool(image, workers=1) as pool:
        client.api.create_container(image, ["sleep", "9"], labels=labels(pool._name))
        assert left(client, pool._name)
    assert not left(client, pool._name)


def test_a_closed_container_leaves_no_connection(
    client: docker.DockerClient, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "JOBS_A_CONTAINER", 1)
    # The garbage collector would find them some day; until then they pile up.
    gc.disable()
    try:
        with SandboxPool(image, workers=1) as pool:
            lines = []
            for _ in range(3):
                assert pool.judge_now(HONEST).status is ProgramStatus.CORRECT
                pool._free.put(container := pool._free.get())
                assert container is not None
                lines.append(container._socket)
    finally:
        gc.enable()
    assert [line is not None and line.fileno() for line in lines] == [-1] * 3


def test_closing_tries_again_where_the_engine_failed_to_remove(
    client: docker.DockerClient, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def fails_once(one: docker.DockerClient, container: str) -> bool:
        tries.append(container)
        return len(tries) > 1 and remove(one, container)

    monkeypatch.setattr(owner, "remove", fails_once)
    with SandboxPool(image, workers=1) as pool:
        client.api.create_container(image, ["sleep", "9"], labels=labels(pool._name))
    assert len(tries) >= 2
    assert not left(client, pool._name)
