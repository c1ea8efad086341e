"""Requests to what stands before Prefect's server (flows/server/api_server.py), under uvicorn."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from random import Random
from typing import Any

from bench.recovery._fuzz_http import Wire, request, status_of
from bench.recovery.fuzz import Violation
from flows.server.access import authorization
from flows.server.api_server import GuardedApp, pass_over_broken_clients
from flows.server.hosts import host_names

_SECRET = "restem:fuzzed-SENTINEL"
_CHECK = 100
_PATHS = ("/api/flow_runs/", "/api/deployments/1/create_flow_run", "/open", "/api/x")


class Door:
    """The real door and the real web server; in Prefect's place stands what notes who came in."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        import uvicorn

        self.errors: list[str] = []
        self._loop = asyncio.new_event_loop()
        config = uvicorn.Config(
            self._app,
            host="127.0.0.1",
            port=0,
            lifespan="off",
            interface="asgi3",
            log_level="error",
        )
        self._server = uvicorn.Server(config)
        pass_over_broken_clients()
        handler = _Errors(self.errors)
        for name in ("uvicorn.error", "asyncio"):
            logging.getLogger(name).addHandler(handler)
            logging.getLogger(name).propagate = False
        self._guarded: GuardedApp | None = None
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.05)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]
        self._own = host_names(self._port)
        self._guarded = GuardedApp(self._behind, self._own, _SECRET)
        self._wire, self._tried = Wire(self._port), 0
        basic = f"Authorization: {authorization(_SECRET)['Authorization']}"
        self._names = [f"Host: 127.0.0.1:{self._port}"]
        self._friend = [*self._names, basic]
        head = "\r\n".join(self._friend)
        body = b'{"name": "x", "parameters": {}}'
        self._good = [f"GET /api/health HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n".encode()]
        for path in ("/open", "/api/flow_runs/", "/api/deployments/1/create_flow_run"):
            text = f"POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {len(body)}\r\n\r\n"
            self._good.append(text.encode() + body)

    def try_one(self, random: Random) -> str:
        """Send one request, and from time to time a good one."""
        self._tried += 1
        names = self._friend if random.random() < 0.6 else self._names
        way, answer = self._wire.send(request(random, self._good, names, _PATHS), random)
        if self.errors:
            raise Violation(self.errors.pop())
        if _SECRET.encode() in answer or b"Traceback" in answer:
            raise Violation("an answer tells what it should not")
        if status_of(answer) == "500":
            raise Violation("an error of the server")
        if self._tried % _CHECK == 0 and b"within" not in self._wire.ask(self._good[0]):
            raise Violation("it answers no more")
        return f"{way}: {status_of(answer)}"

    def close(self) -> None:
        """End the server."""
        self._wire.close()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if self._guarded is not None:
            await self._guarded(scope, receive, send)

    async def _behind(self, scope: Any, receive: Any, send: Any) -> None:
        """Who comes in has named this server, and brings no job variables."""
        heads = [(key.lower(), value.decode("latin-1")) for key, value in scope["headers"]]
        hosts = [value for key, value in heads if key == b"host"]
        origins = [value for key, value in heads if key == b"origin"]
        if len(hosts) != 1 or self._own.refusal(hosts, origins):
            self.errors.append(f"a stranger came in: {hosts} {origins}")
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        friend = (b"authorization", self._friend[1].partition(": ")[2]) in heads
        changes = scope["path"].startswith("/api/flow_runs") and scope["method"] == "POST"
        if changes and friend and _has_variables(body):
            self.errors.append("job variables came in")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"within"})


def _has_variables(body: bytes) -> bool:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(given, dict) and bool(given.get("job_variables"))


class _Errors(logging.Handler):
    """Keeps what the web server logs as an error: tracebacks of applications."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._kept.append(f"{record.getMessage():.60} {error!r:.100}")


def open_target(folder: Path) -> Door:
    """The target."""
    return Door(folder)
