"""A home in which the small demo has run, as this process sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from flows.api import RestEmConfig, load_config
from tests.flows.conftest import Restem
from tests.small import SMALL


@pytest.fixture
def here(copied: Restem, monkeypatch: pytest.MonkeyPatch) -> Restem:
    """The home is this process's own, and what it starts finds the server."""
    for name, value in copied.environment().items():
        monkeypatch.setenv(name, value)
    return copied


@pytest.fixture
def config() -> RestEmConfig:
    """Of the run that the home has."""
    return load_config("math-demo", list(SMALL))


@pytest.fixture
def project(tmp_path: Path, config: RestEmConfig) -> Path:
    """A folder with that configuration in `restem.toml`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "restem.toml").write_text(tomli_w.dumps(config.model_dump()))
    return folder


@pytest.fixture
def there(finished: Restem, monkeypatch: pytest.MonkeyPatch) -> Restem:
    """The finished run; nothing in its home is changed."""
    monkeypatch.setenv("RESTEM_HOME", str(finished.home))
    return finished
