"""A server for tests at a free port, which answers requests with JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, Any]]


@contextmanager
def listening(model: str, answer: Callable[[dict[str, Any]], Reply]) -> Iterator[str]:
    """The address, for the length of the block.

    Args:
        model: The one that it lists.
        answer: Status and body for the body of a POST; called for several at once.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_PUT(self) -> None:
            self.body()
            self.say(404, {"error": "no such path"})

        def do_GET(self) -> None:
            self.say(200, {"data": [{"id": model}]})

        def do_POST(self) -> None:
            self.say(*answer(json.loads(self.body())))

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def say(self, status: int, value: dict[str, Any]) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        listener.server_close()
