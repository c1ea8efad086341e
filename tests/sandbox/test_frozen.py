"""A container that is frozen for a while, as on a machine that sleeps, overruns no time limit."""

from __future__ import annotations

import time

import docker
import pytest

from sandbox.owner import POOL_LABEL, labelled_containers
from sandbox.pool import SandboxPool, connect
from sandbox.verdict import Job, Limits, ProgramStatus
from sandbox.verdict import Test as Case

# Twelve seconds by the wall are allowed, about two are taken.
SLOW = "import time\nfor _ in range(20):\n    time.sleep(0.1)\n"
FROZEN_SECONDS = 15.0


@pytest.fixture
def client() -> docker.DockerClient:
    return connect()


def test_the_verdict_is_that_of_a_quiet_machine(client: docker.DockerClient, image: str) -> None:
    with SandboxPool(image, workers=1) as pool:
        job = Job(SLOW + "print(1)", (Case("", "1\n"),), limits=Limits(cpu=4.0))
        found = pool.submit(job)
        while not pool.started:
            time.sleep(0.05)
        time.sleep(0.5)
        (container,) = labelled_containers(client, POOL_LABEL, pool._name)
        client.api.pause(container["Id"])
        time.sleep(FROZEN_SECONDS)
        client.api.unpause(container["Id"])
        assert found.result(timeout=300.0).status is ProgramStatus.CORRECT
