"""The home of the finished small demo, as the home of this process."""

from __future__ import annotations

import pytest

from tests.flows.conftest import Restem


@pytest.fixture
def there(finished: Restem, monkeypatch: pytest.MonkeyPatch) -> Restem:
    """The finished run; nothing in its home is changed."""
    monkeypatch.setenv("RESTEM_HOME", str(finished.home))
    return finished
