"""Where the sandbox's image comes from."""

from __future__ import annotations

import pytest

from sandbox.image import build_image, find_image
from sandbox.pool import NoEngine, connect


def test_a_base_that_is_asked_for_is_never_replaced(image: str) -> None:
    said: list[str] = []
    with pytest.raises(NoEngine, match="--base nosuch"):
        build_image(said.append, "nosuch@sha256:" + "0" * 64)
    assert len(said) == 1  # no second way was tried
    client = connect()
    try:
        assert find_image(client) == image
    finally:
        client.close()
