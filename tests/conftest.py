"""Every test has a home of its own; nothing is written outside temporary folders."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# A shell starts its background jobs with Ctrl-C ignored, and processes hand that on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh RESTEM_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("RESTEM_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real data, or a skip that says what is missing."""
    given = os.environ.get("RESTEM_DATA")
    if not given:
        pytest.skip("RESTEM_DATA is not set: no real data sets on this machine")
    return Path(given)
