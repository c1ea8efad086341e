"""Whose container one is: labels that tell a dead owner from a living one, whoever asks.

An engine may serve several machines and containers, in each of which a process id means another
process (process_name.py); each removes what its own processes left.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, TypedDict

import docker
import docker.errors

from sandbox.process_name import boot_and_namespace, born

LABEL = "restem.sandbox"  # the process id of the owner
BORN_LABEL = "restem.sandbox.born"  # when that process began, in ticks since the machine's start
PLACE_LABEL = "restem.sandbox.place"  # where the process id means that process
POOL_LABEL = "restem.sandbox.pool"  # which of the pools of that process
# An engine that was killed may fail to remove a container whose files are still in use, whoever
# asks for it, and works a moment later.
GONE_SECONDS, AGAIN_SECONDS = 5.0, 0.2


class Listed(TypedDict):
    """What is read of a container in the engine's list."""

    Id: str
    Labels: dict[str, str]


def labels(pool: str = "") -> dict[str, str]:
    """The labels of this process's containers."""
    pid = os.getpid()
    began = str(born(pid) or "")
    place = boot_and_namespace()
    return {LABEL: str(pid), BORN_LABEL: began, PLACE_LABEL: place, POOL_LABEL: pool}


def remove_leftovers(client: docker.DockerClient) -> int:
    """Remove containers whose owner was killed; how many there were.

    Those of living processes stay, and those of other machines, of which nothing is known here.
    """
    if not (place := boot_and_namespace()):
        return 0
    return sum(
        remove(client, each["Id"])
        for each in labelled_containers(client, PLACE_LABEL, place)
        if _is_gone(each["Labels"])
    )


def remove_pool(client: docker.DockerClient, pool: str) -> None:
    """Remove what is left of a pool, and see that it is gone."""
    deadline = time.monotonic() + GONE_SECONDS
    while left := labelled_containers(client, POOL_LABEL, pool):
        removed = [remove(client, each["Id"]) for each in left]
        if all(removed) or time.monotonic() > deadline:
            return
        time.sleep(AGAIN_SECONDS)


def engine_api(client: docker.DockerClient) -> Any:
    """The calls of the engine one by one, of a library without types."""
    return client.api


def labelled_containers(client: docker.DockerClient, label: str, value: str) -> list[Listed]:
    """What the engine lists of this label, whatever state it is in."""
    # The client's own list asks again for each, which fails if one is removed meanwhile.
    return engine_api(client).containers(all=True, filters={"label": f"{label}={value}"})


def remove(client: docker.DockerClient, container: str) -> bool:
    """Remove a container; False if that did not work, as when somebody else does it now."""
    with contextlib.suppress(docker.errors.APIError, OSError):
        engine_api(client).remove_container(container, force=True)
        return True
    return False


def _is_gone(owner: dict[str, str]) -> bool:
    began = born(owner[LABEL])
    return began is None or str(began) != owner.get(BORN_LABEL)
