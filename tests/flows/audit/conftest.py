"""A run that was made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.audit.audit_parts import PAIRS, make_run


@pytest.fixture
def made(home: Path) -> Path:
    make_run(home, PAIRS)
    return home
