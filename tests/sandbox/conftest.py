"""A real engine and image for the tests of the sandbox, or a skip that says what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.image import build_image, find_image
from sandbox.pool import NoEngine, SandboxPool, connect


@pytest.fixture(scope="session")
def image() -> str:
    try:
        client = connect()
        found = find_image(client)
        client.close()
        return found or build_image(lambda _: None)
    except NoEngine as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pool(image: str) -> Iterator[SandboxPool]:
    """One worker, so that the job after an attack runs where the attack ran."""
    with SandboxPool(image, workers=1) as pool:
        yield pool
