"""Who may ask the vLLM server of `restem engine serve`; it runs in vLLM's environment.

vLLM itself asks for its key under some paths (/v1 and a few more), lets every page of a browser in
by CORS, and looks at no Host. This stands before all of it (`--middleware restem_access.Access`):
a request names this server and has the token; /health needs no token. Standard library alone.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable
from typing import Any

VLLM_KEY = "VLLM_API_KEY"
HOSTS = "RESTEM_ENGINE_HOSTS"
OPEN = "/health"

# ASGI's.
_Event = dict[str, Any]
_Receive = Callable[[], Awaitable[_Event]]
_Send = Callable[[_Event], Awaitable[None]]


class Access:
    """An ASGI middleware."""

    def __init__(self, app: Callable[[_Event, _Receive, _Send], Awaitable[None]]) -> None:
        """Read the token and this server's names from the environment.

        Args:
            app: What is behind.

        Raises:
            RuntimeError: there is none, and the server would be open.
        """
        self._app = app
        self._hosts = set(os.environ.get(HOSTS, "").split())
        self._wanted = f"Bearer {os.environ.get(VLLM_KEY, '')}".encode()
        if not self._hosts or not os.environ.get(VLLM_KEY):
            raise RuntimeError(f"{VLLM_KEY} or {HOSTS} is not set")

    async def __call__(self, scope: _Event, receive: _Receive, send: _Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        hosts, origins, given = (
            [value for key, value in scope["headers"] if key.lower() == name]
            for name in (b"host", b"origin", b"authorization")
        )
        named = len(hosts) == 1 and hosts[0].decode("latin-1").lower() in self._hosts
        health = scope["path"] == OPEN and scope.get("method") == "GET"
        if not named or origins:
            await _refuse(scope, receive, send, 403, b"this server does not go by that name\n")
        elif not health and not (len(given) == 1 and hmac.compare_digest(given[0], self._wanted)):
            await _refuse(scope, receive, send, 401, b"expected the token of this server\n")
        else:
            await self._app(scope, receive, send)


async def _refuse(scope: _Event, receive: _Receive, send: _Send, status: int, why: bytes) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(why)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": why})
