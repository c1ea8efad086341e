"""Requests as raw bytes: what they are made of, and the ways in which they are sent."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from random import Random

from bench.recovery._fuzz_inputs import torn

# A server that has not answered by then hangs; a busy machine takes seconds.
ANSWER_SECONDS = 60.0
# Connections that are left open in the midst of a request.
_STALLED = 20
_METHODS = (*["GET"] * 8, *["POST"] * 4, "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "get")
_ODD_METHODS = (
    "",
    "GET\t",
    "G" * 70_000,
    "\0",
    "GET GET",
    "PRI * HTTP/2.0\r\n\r\nSM",
    "É",
    "__init__",
)
_VERSIONS = (*["HTTP/1.1"] * 8, *["HTTP/1.0"] * 2, "HTTP/0.9", "HTTP/2.0", "HTTP/1.99999999", "")
_ODD_VERSIONS = ("HTTP/", "HTTP/1", "HTTP/-1.1", "http/1.1", "HTTP/1.1 x", "\0", "HTTP/1.1\0")
_PARTS = (
    *(
        "",
        "/",
        "//",
        "..",
        ".",
        "%2e%2e",
        "%2E%2E/",
        "..%2f",
        "%252e%252e",
        "%00",
        "\0",
        "%",
        "%zz",
    ),
    *("runs", "notices", "health", "open", "api", "flow_runs", "deployments", "logs", "x" * 300),
    *("[", "]", "[::1", "@", ":", ":99999", "http://x/", "//evil.example/", "\\", "?", "#", ";"),
    *("\xff", "é", "%ff", "%c0%ae%c0%ae", "%u002e", "a" * 60_000, "secret.html", "*", " ", "\t"),
)
_HEADERS = (
    *("Accept: */*", "Connection: keep-alive", "Connection: close", "Connection: upgrade"),
    *("Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13", "TE: trailers"),
    *(
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding : chunked",
    ),
    *("Content-Length: 0", "Content-Length: 5", "Content-Length: -1", "Content-Length: +5"),
    *(
        "Content-Length: 9" + "9" * 5000,
        "Content-Length: 1e3",
        "Content-Length: 0x5",
        "Content-Length",
    ),
    *(
        "Content-Length: 99999999999",
        "Content-Length: \xb2",
        "Content-Length: 5, 5",
        "Expect: 100-continue",
    ),
    *(
        "Origin: http://evil.example",
        "Origin: null",
        "Origin:",
        "Host: evil.example",
        "Host:",
        "Host",
    ),
    *(
        "Range: bytes=0-",
        "Range: bytes=-1",
        "If-None-Match: *",
        "Accept-Encoding: gzip",
        ": x",
        ":",
    ),
    *(
        " folded: x",
        "\tx",
        "X: " + "y" * 70_000,
        "X" * 70_000 + ": y",
        "X: \0",
        "\0: x",
        "X: \xff\xfe",
    ),
    *(
        "Authorization: Basic",
        "Authorization: Basic =",
        "Authorization: Basic \xff",
        "Authorization: Bearer",
    ),
    *(
        "Authorization: Basic " + "A" * 60_000,
        "Authorization: Basic cmVzdGVtOng=",
        "Authorization: \xc3\x28",
    ),
    *(
        "Cookie: restem_pages=",
        "Cookie: restem_pages=\xff",
        "Cookie: " + ";" * 5000,
        "Cookie: a=b; restem_pages=x",
    ),
    *(
        "Sec-Fetch-Mode: cors",
        "Content-Type: text/plain",
        "Content-Type: application/json; charset=\xff",
    ),
    *(
        "X-Forwarded-Host: evil.example",
        "Forwarded: host=evil.example",
        "Proxy-Connection: keep-alive",
    ),
)
_BODIES = (
    *(
        b"",
        b"x",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"-1\r\n",
        b"0\r\n\r\n",
        b"\r\n\r\n",
    ),
    *(
        b"[" * 5000,
        b'{"text": ' * 3000,
        b'{"text": "\\ud800", "link": {}}',
        b"\xff\xfe\x00",
        b"\x00" * 100,
    ),
    *(b'{"job_variables": {"command": "x"}}', b"y" * 70_000, b"GET / HTTP/1.1\r\n\r\n" * 3),
)


def request(random: Random, good: list[bytes], names: list[str], paths: tuple[str, ...]) -> bytes:
    """One request, good or not.

    Args:
        good: Whole requests to change the bytes of.
        names: Header lines with which a request passes as one of a friend.
        paths: That the server knows.
    """
    if random.random() < 0.25:
        return torn(random.choice(good), random)
    method = random.choice(_METHODS if random.random() < 0.93 else _ODD_METHODS)
    path = "/" * (random.random() < 0.95)
    path += "/".join(random.choice(_PARTS) for _ in range(random.choice((0, 1, 1, 2, 3, 4))))
    if random.random() < 0.4:
        path = random.choice(paths)
    version = random.choice(_VERSIONS if random.random() < 0.93 else _ODD_VERSIONS)
    lines = [f"{method} {path} {version}"]
    lines += [one for one in names if random.random() < 0.85]
    lines += random.choices(_HEADERS, k=random.choice((0, 1, 1, 2, 3, 6)))
    if random.random() < 0.01:
        lines += [f"H{n}: {'v' * 900}" for n in range(random.choice((50, 90, 300)))]
    rest = lines[1:]
    random.shuffle(rest)
    lines[1:] = rest
    body = random.choice(_BODIES) if random.random() < 0.4 else b""
    if body and random.random() < 0.7:
        lines.append(f"Content-Length: {len(body) + random.choice((0, 0, 0, -1, 1, 1000))}")
    end = random.choice((*["\r\n"] * 8, "\n", "\r"))
    head = end.join(lines) + (end * 2 if random.random() < 0.95 else "")
    raw = head.encode("latin-1", "replace") + body
    return torn(raw, random) if random.random() < 0.1 else raw


class Wire:
    """Sends requests to a server on this machine, politely or not."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stalled: deque[socket.socket] = deque()

    def send(self, raw: bytes, random: Random) -> tuple[str, bytes]:
        """Send a request; in which way, and what came back.

        Raises:
            OSError: nobody listens, or nobody answers and nobody closes.
        """
        way = random.random()
        if way < 0.02:
            self._stall(raw[: random.randrange(len(raw) + 1)])
            return "left open", b""
        with self._connect() as link:
            # A server that refuses stops to read, which is an error to who still sends.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                if way < 0.10:
                    link.sendall(raw[: random.randrange(len(raw) + 1)])
                    return self._leave(link, random)
                if way < 0.2:
                    at = random.randrange(len(raw) + 1)
                    link.sendall(raw[:at])
                    link.sendall(raw[at:])
                elif way < 0.3:
                    link.sendall(raw * random.choice((2, 3, 10)))
                else:
                    link.sendall(raw)
                with contextlib.suppress(OSError):  # it closed already
                    link.shutdown(socket.SHUT_WR)
            return "sent", self.read(link)

    def read(self, link: socket.socket) -> bytes:
        """All that a server sends until it closes."""
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while some := link.recv(65_536):
                found += some
        return found

    def ask(self, raw: bytes) -> bytes:
        """Send a good request and give the answer."""
        with self._connect() as link:
            link.sendall(raw)
            return self.read(link)

    def close(self) -> None:
        """Leave all."""
        while self._stalled:
            self._stalled.popleft().close()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_SECONDS)

    def _leave(self, link: socket.socket, random: Random) -> tuple[str, bytes]:
        if random.random() < 0.5:  # with a reset
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return "reset", b""
        return "closed", b""

    def _stall(self, raw: bytes) -> None:
        link = self._connect()
        with contextlib.suppress(OSError):
            link.sendall(raw)
        self._stalled.append(link)
        while len(self._stalled) > _STALLED:
            self._stalled.popleft().close()


def status_of(answer: bytes) -> str:
    """The status of an answer, for counting."""
    if not answer:
        return "nothing"
    first = answer.split(b"\r\n", 1)[0].split(b" ")
    return first[1].decode("latin-1") if answer.startswith(b"HTTP/") and len(first) > 1 else "bare"
