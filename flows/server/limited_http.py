"""A small web server that nobody can fill: few connections, short heads, bounded bodies, no waits.

`http.server` alone takes heads of megabytes and waits for a client as long as it likes. Here a
connection that has not asked within some seconds is closed, and beyond a number of them the next
one is refused at once. One request is answered on a connection. Not covered: encryption, and
fairness between clients; both servers that are built on this are for a few people and programs.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

# The longest head that a browser of ours sends has a few kilobytes: cookies of all of 127.0.0.1.
HEAD_BYTES = 64 * 1024
# Connections at once; each has a thread.
MOST = 64
# A pause in what a client sends or takes, and all that it may take to ask.
PAUSE_SECONDS, ASK_SECONDS = 15.0, 30.0
_LONGEST_LENGTH = 12  # digits
# What servers of UDP are given stands in socketserver's types too.
_Request = socket.socket | tuple[bytes, socket.socket]


class LimitedServer(ThreadingHTTPServer):
    """Serves with the limits above."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[LimitedHandler]) -> None:
        """Bind it; see `http.server.ThreadingHTTPServer`."""
        self._lock = threading.Lock()
        self._asking: dict[socket.socket, float] = {}
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: _Request, client_address: object) -> None:
        """Take a connection, or close it where there are too many."""
        assert isinstance(request, socket.socket), "a server of TCP"
        with self._lock:
            full = len(self._open) >= MOST
            if not full:
                self._open.add(request)
                self._asking[request] = time.monotonic()
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: _Request) -> None:
        """Close a connection, and count it no more."""
        assert isinstance(request, socket.socket), "a server of TCP"
        self.has_asked(request)
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def has_asked(self, request: socket.socket) -> None:
        """The request on a connection is there; its answer may take longer."""
        with self._lock:
            self._asking.pop(request, None)

    def service_actions(self) -> None:
        """Close connections that do not come to the point; called twice a second."""
        began = time.monotonic() - ASK_SECONDS
        with self._lock:
            slow = [one for one, since in self._asking.items() if since < began]
        for one in slow:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say an error of ours in one line; clients that go away say nothing."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"restem: a request failed: {error!r:.300}", file=sys.stderr, flush=True)


class LimitedHandler(BaseHTTPRequestHandler):
    """Answers one request within the limits above."""

    timeout = PAUSE_SECONDS
    server_version = "restem"
    sys_version = ""

    def parse_request(self) -> bool:
        """Read the head of a request; an answer was sent if it is none."""
        whole = self.rfile
        self.rfile = cast(io.BufferedIOBase, _Head(whole, HEAD_BYTES))
        try:
            understood = super().parse_request()
        finally:
            self.rfile = whole
        if understood and "Content-Length" not in self.headers:
            self._has_asked()
        return understood

    def _has_asked(self) -> None:
        cast(LimitedServer, self.server).has_asked(self.request)

    def body(self, most: int) -> bytes | None:
        """The body of a request; None where its length is not said, or is more than `most`."""
        lengths = self.headers.get_all("Content-Length", [])
        given = lengths[0] if len(lengths) == 1 else ""
        plain = given.isascii() and given.isdecimal() and len(given) <= _LONGEST_LENGTH
        if "Transfer-Encoding" in self.headers or not plain or int(given) > most:
            return None
        found = self.rfile.read(int(given))
        self._has_asked()
        return found if len(found) == int(given) else None

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer; nothing more is read."""
        self.close_connection = True
        self._has_asked()
        super().send_response(code, message)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request of ours, in a plain line."""
        data = f"{message or HTTPStatus(code).phrase}\n".encode("ascii", "backslashreplace")
        self.send_response(code, HTTPStatus(code).phrase)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; requests are of no interest."""


class _Head:
    """A file of which so many bytes may be read, line by line."""

    def __init__(self, file: io.BufferedIOBase, left: int) -> None:
        self._file, self._left = file, left

    def readline(self, most: int) -> bytes:
        line: bytes = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.HTTPException(f"a head of more than {HEAD_BYTES:,} bytes")
        return line
