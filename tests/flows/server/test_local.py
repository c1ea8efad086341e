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
    free_port, given = local._free_port, []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        def taken_first() -> int:
            given.append(free_port() if given else taken)
            return given[-1]

        monkeypatch.setattr(local, "_free_port", taken_first)
        with local.prefect_server() as address:
            assert local.healthy(address)
    assert given[0] == taken
    assert address == f"http://127.0.0.1:{given[1]}/api"
