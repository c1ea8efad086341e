"""What tests of child processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.processes.child import close_fork_server, preload


@pytest.fixture(scope="module")
def light() -> None:
    """The children of these tests need no library, whatever the tests before had imported."""
    close_fork_server()
    preload([])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"
