"""`restem engine serve` answers who has its token and names it; so does vLLM behind it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tasks.generate.engine_token import TOKEN, token_for
from tasks.generate.in_vllm.restem_access import Access
from tasks.generate.vllm_environment import VARIABLE
from tasks.settings.secret import read_secret
from tests.flows.station.conftest import PATIENCE, ROOT, until
from tests.ports import free_port


@pytest.fixture
def served(home: Path) -> Iterator[int]:
    """A server that waits for a run; the test needs no vLLM, so any Python stands for its."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", "engine", "serve", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, VARIABLE: sys.executable},
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: socket.create_connection(("127.0.0.1", port), timeout=1))
    command = Path(f"/proc/{process.pid}/cmdline").read_text()
    assert read_secret(home / "engine-token") not in command
    yield port
    process.terminate()
    said, _ = process.communicate(timeout=PATIENCE)
    assert str(home / "engine-token") in said
    assert read_secret(home / "engine-token") not in said


def test_a_machine_that_samples_asks_for_its_token(
    served: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = read_secret(home / "engine-token")
    assert (home / "engine-token").stat().st_mode & 0o777 == 0o600
    good = {"Authorization": f"Bearer {token}"}
    for method in ("GET", "PUT", "DELETE"):
        for wrong in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {token}"}):
            assert _ask(served, "/policy", method, **wrong) == 401
        assert _ask(served, "/policy", method, **good, Host="evil.example") == 403
        assert _ask(served, "/policy", method, **good, Origin="http://evil.example") == 403
    assert _ask(served, "/policy", **good) == 200
    assert token_for(f"http://127.0.0.1:{served}") == token  # a run of the same home
    assert token_for("http://elsewhere.example:8100") == ""  # is told to nobody else
    monkeypatch.setenv(TOKEN, "given")
    assert token_for("http://elsewhere.example:8100") == "given"


def test_what_stands_before_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("VLLM_API_KEY", "words")
    monkeypatch.setenv("RESTEM_ENGINE_HOSTS", f"127.0.0.1:{port} gpu1:{port}")

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a completion"})

    config = uvicorn.Config(Access(behind), port=port, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    good = {"Authorization": "Bearer words"}
    try:
        for path in ("/v1/completions", "/invocations", "/metrics", "/tokenize", "/health/x"):
            for method in ("GET", "POST", "OPTIONS"):
                assert _ask(port, path, method) == 401
                assert _ask(port, path, method, Authorization="Bearer other") == 401
                assert _ask(port, path, method, **good) == 200
        assert _ask(port, "/health") == 200
        assert _ask(port, "/health", Host=f"gpu1:{port}") == 200
        for refused in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            assert _ask(port, "/health", **refused) == 403
            assert _ask(port, "/v1/completions", "POST", **good, **refused) == 403
    finally:
        server.should_exit = True
        thread.join(300)


def test_it_does_not_start_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    with pytest.raises(RuntimeError, match="VLLM_API_KEY"):
        Access(None)


def _ask(port: int, path: str, method: str = "GET", **headers: str) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    link.request(method, path, headers=headers)
    status = link.getresponse().status
    link.close()
    return status
