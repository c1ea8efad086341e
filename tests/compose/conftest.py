"""The processes of docker-compose.yml, once for all tests that use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.compose.topology import Topology
from tests.compose.topology_local import missing
from tests.needs import lacking


@pytest.fixture(scope="session")
def new_topology(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Topology]:
    """Gives a topology that was not started, or skips and says what is missing."""
    if packages := missing():
        names = " ".join(packages)
        lacking(f"not installed: {names} (Debian: apt-get install {names})")
    return lambda: Topology(tmp_path_factory.mktemp("topology"))


@pytest.fixture(scope="package")
def topology(new_topology: Callable[[], Topology]) -> Iterator[Topology]:
    """A topology that is up for this folder's tests."""
    with new_topology() as found:
        yield found
