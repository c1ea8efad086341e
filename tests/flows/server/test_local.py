"""The server of a home that was given none."""

from __future__ import annotations

import os
import socket

import pytest

from flows.server import local


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is given; what is set for Prefect is taken back after the test."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]


@pytest.mark.prefect
@pytest.mark.usefixtures("alone")
def test_a_port_that_somebody_took_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    bind, asked = local._bind, []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        def bind_late(port: int) -> int:
            asked.append(port)
            return taken if len(asked) == 1 else bind(port)

        monkeypatch.setattr(local, "_bind", bind_late)
        with local.prefect_server() as address:
            assert local.healthy(address)
            assert f":{taken}/" not in address
    assert asked == [0, taken, 0]
