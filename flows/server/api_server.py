"""Prefect's server behind a look at who asks: `python -m flows.server.api_server --port 4200`.

It is what `prefect server start` runs, in one process with the same settings, with these in front:

- the Host and the Origin of every request and websocket must be this server's
  (flows/server/hosts.py);
- no flow run and no deployment may bring job variables. Prefect checks most of them against the
  work pool, which allows none (flows/station/deployments.py), but not those of a flow run without a
  deployment, nor those that a deployment is changed to;
- `/open` lets a person in by a link (flows/server/open_page.py); no page of others may frame the
  UI.

Prefect itself asks for the secret. Without one this server does not start.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from flows.server import open_page
from flows.server.access import SERVER, shows
from flows.server.hosts import HostNames, host_names
from flows.server.new_database import make_database
from tasks.errors import UserError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_RUNS = ("/api/flow_runs", "/api/deployments")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# What h11, which uvicorn reads requests with, says of them.
_OF_CLIENTS = ("LocalProtocolError", "RemoteProtocolError")
# Prefect takes parameters of at most 512 KiB.
_BODY_BYTES = 4 * 1024 * 1024


class GuardedApp:
    """An ASGI application that answers only those whom it is meant for."""

    def __init__(self, app: ASGIApp, own: HostNames, secret: str) -> None:
        """Put it in front of Prefect's, which asks for the secret."""
        self._app, self._own, self._secret = app, own, secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif refused := self._own.refusal(_all(scope, b"host"), _all(scope, b"origin")):
            await _refuse(scope, receive, send, refused)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif scope["method"] not in _METHODS:  # CONNECT would leave HTTP with any answer
            await open_page.reply(send, 405, "expected another method\n")
        else:
            await self._answer(scope, receive, _unframed(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = next(iter(_all(scope, b"authorization")), "")  # Prefect reads the first
        if scope["path"] == open_page.PATH:
            await open_page.answer(scope, send, self._secret, header)
            return
        changes = scope["method"] in ("POST", "PATCH", "PUT") and scope["path"].startswith(_RUNS)
        if changes and shows(header, self._secret):  # Prefect refuses the others
            body = await _body(receive)
            if body is None:
                await open_page.reply(send, 413, f"expected at most {_BODY_BYTES} bytes")
                return
            if refused := _refused_body(body):
                said = json.dumps({"detail": refused})
                await open_page.reply(send, 422, said, "application/json")
                return
            receive = _again(body, receive)
        await self._app(scope, receive, send)


def _all(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect; an answer before it is not allowed
        await send({"type": "websocket.close", "code": 1008})  # becomes a 403
    else:
        await open_page.reply(send, 403, why + "\n")


def _unframed(send: Send) -> Send:
    """Add to answers that no page of another origin may show them in a frame."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"x-frame-options", b"SAMEORIGIN")]
            message = {**message, "headers": headers}
        await send(message)

    return sending


async def _body(receive: Receive) -> bytes | None:
    """The whole body of a request; None if it is too long."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _BODY_BYTES:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read once more."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return left.pop() if left else await receive()

    return receiving


def _refused_body(body: bytes) -> str:
    """Why a body does not go on to Prefect; empty if it does."""
    try:
        given = json.loads(body)
    except RecursionError:
        return "the body is nested too deep"
    except ValueError:
        return ""  # Prefect says what is wrong with it
    has = isinstance(given, dict) and bool(given.get("job_variables"))
    return "job_variables: the pool takes none" if has else ""


def pass_over_broken_clients() -> None:
    """Let a client that breaks HTTP in the midst of an answer leave no traceback in the log."""
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        if _is_our_error not in logger.filters:
            logger.addFilter(_is_our_error)


def _is_our_error(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__name__ not in _OF_CLIENTS


def run(host: str, port: int, *, services: bool) -> None:
    """Serve until SIGTERM or SIGINT, with schedules, automations and so on if `services`.

    Raises:
        UserError: there is no secret, or a name in RESTEM_HOSTS is none.
    """
    secret, own = os.environ.get(SERVER, ""), host_names(port)
    if not secret:
        raise UserError(f"{SERVER} is not set: this server answers nobody without a secret")
    make_database()
    # Prefect's own answer to browsers: which pages may read what it says.
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(sorted(own.origins))

    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from flows.server.after_sleep import measure_silence_anew
    from flows.server.write_lock import write_in_turn

    pass_over_broken_clients()
    measure_silence_anew()
    write_in_turn()
    settings = get_current_settings().server
    uvicorn.run(
        GuardedApp(create_app(final=True, webserver_only=not services), own, secret),
        host=host,
        port=port,
        timeout_keep_alive=settings.api.keepalive_timeout,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level=settings.logging_level.lower(),
    )


def main() -> None:
    """The command line of the module's docstring."""
    parser = argparse.ArgumentParser(description="Prefect's server behind a look at who asks.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--no-services", action="store_true")
    given = parser.parse_args()
    try:
        run(given.host, given.port, services=not given.no_services)
    except UserError as error:
        sys.exit(f"restem: {error}")


if __name__ == "__main__":
    main()
