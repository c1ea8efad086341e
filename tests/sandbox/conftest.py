"""A pool of one container for the tests of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.pool import SandboxPool


@pytest.fixture(scope="module")
def pool(image: str) -> Iterator[SandboxPool]:
    """One worker, so that the job after an attack runs where the attack ran."""
    with SandboxPool(image, workers=1) as pool:
        yield pool
