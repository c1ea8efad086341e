"""Requests that stop or break in the midst: Prefect's door answers others, without a traceback."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import h11
import pytest

from flows.server.access import authorization
from flows.server.api_server import GuardedApp, pass_over_broken_clients
from flows.server.hosts import host_names

SECRET = "restem:of-the-test"


@pytest.mark.parametrize("name", ["uvicorn.error", "asyncio"])
def test_a_client_that_breaks_http_leaves_no_traceback(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    pass_over_broken_clients()
    logger = logging.getLogger(name)
    logger.error("failed", exc_info=h11.LocalProtocolError("Too much data"))
    assert caplog.records == []
    logger.error("failed", exc_info=ValueError("of ours"))
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("POST", b"[" * 100_000, 422),
        ("POST", b'{"a":' * 100_000, 422),
        ("POST", b'{"job_variables": {"command": "x"}}', 422),
        ("POST", b'{"name": "x"}', 200),
        ("POST", b"\xff", 200),  # Prefect says what is wrong
        ("CONNECT", b"", 405),
        ("TRACE", b"", 405),
    ],
)
def test_what_goes_on_to_prefect(method: str, body: bytes, status: int) -> None:
    async def behind(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == body
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[dict[str, Any]] = []
    heads = {"host": "127.0.0.1:4200", "authorization": authorization(SECRET)["Authorization"]}
    scope = {
        "type": "http",
        "method": method,
        "path": "/api/flow_runs/",
        "headers": [(name.encode(), value.encode()) for name, value in heads.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(GuardedApp(behind, host_names(4200), SECRET)(scope, receive, send))
    assert sent[0]["status"] == status
    if status == 422:
        assert "detail" in json.loads(sent[1]["body"])
