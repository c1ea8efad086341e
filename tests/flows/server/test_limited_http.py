"""Nobody fills the small web servers: heads, bodies, connections and waits are bounded."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, cast

import pytest

from flows.server import limited_http
from flows.server.limited_http import LimitedHandler, LimitedServer

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Looks(LimitedServer):
    """Counts how often it has looked for slow clients."""

    looks = 0

    def service_actions(self) -> None:
        super().service_actions()
        self.looks += 1


class Echo(LimitedHandler):
    """Gives back what it was sent."""

    timeout = 300.0

    def do_GET(self) -> None:
        if self.path == "/slow":
            self._answer_late()
        if self.path == "/fails":
            raise RuntimeError("in the\nhandler")
        self._give(b"here")

    def do_POST(self) -> None:
        body = self.body(100)
        if self.path == "/slow":
            self._answer_late()
        self._give(b"no length" if body is None else body)

    def _answer_late(self) -> None:
        """From here on whoever has not asked yet is too late, and is looked for."""
        limited_http.ASK_SECONDS = 0.0
        server = cast(Looks, self.server)
        before = server.looks
        _until(lambda: server.looks > before + 1)

    def _give(self, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(limited_http, "ASK_SECONDS", 300.0)
    server = Looks(("127.0.0.1", 0), Echo)
    threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def ask(port: int, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=300) as link:
        with contextlib.suppress(ConnectionError):  # it was closed with some of this on its way
            link.sendall(raw)
        return read(link)


def read(link: socket.socket) -> bytes:
    found = b""
    try:
        while some := link.recv(65_536):
            found += some
    except ConnectionResetError:  # it closed with some of the request unread
        pass
    return found


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"y" * 66_000,
        b"X: y\r\n" * 99 + b"X: " + b"y" * 65_000,
        b"\r\n".join(b"X%d: %s" % (n, b"y" * 2000) for n in range(60)),
        b"X: y\r\n" * 200,
    ],
)
def test_a_long_head_is_refused(port: int, head: bytes) -> None:
    answer = ask(port, b"GET / HTTP/1.1\r\n" + head + b"\r\n\r\n")
    assert answer == b"" or b" 431 " in answer.split(b"\r\n")[0]
    assert b"here" in ask(port, ASK)


@pytest.mark.parametrize(
    ("headers", "body", "found"),
    [
        (b"Content-Length: 5", b"hello", b"hello"),
        (b"Content-Length: 101", b"x" * 101, b"no length"),
        (b"Content-Length: -1", b"hello", b"no length"),
        (b"Content-Length: +5", b"hello", b"no length"),
        (b"Content-Length: 5\r\nContent-Length: 5", b"hello", b"no length"),
        (b"Content-Length: " + b"9" * 5000, b"hello", b"no length"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"5\r\nhello", b"no length"),
        (b"Content-Length: \xb2", b"hello", b"no length"),
        (b"X: y", b"hello", b"no length"),
    ],
)
def test_a_body_has_a_length_and_a_bound(
    port: int, headers: bytes, body: bytes, found: bytes
) -> None:
    answer = ask(port, b"POST / HTTP/1.1\r\n" + headers + b"\r\n\r\n" + body)
    assert answer == b"" or answer.endswith(b"\r\n\r\n" + found)


def test_one_answer_on_a_connection(port: int) -> None:
    assert ask(port, ASK * 5).count(b"here") == 1


def test_beyond_the_most_connections_the_next_is_refused_and_later_ones_are_answered(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_http, "MOST", 3)
    held = [socket.create_connection(("127.0.0.1", port), timeout=300) for _ in range(3)]
    for link in held:
        link.sendall(b"GET / HT")
    assert ask(port, ASK) == b""
    for link in held:
        link.sendall(b"TP/1.1\r\n\r\n")
        assert b"here" in read(link)
        link.close()
    _until(lambda: b"here" in ask(port, ASK))


def test_who_does_not_come_to_the_point_is_closed(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then is no sign of life."""
    monkeypatch.setattr(limited_http, "ASK_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=300) as link:
        link.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert read(link) == b""
    monkeypatch.setattr(limited_http, "ASK_SECONDS", 300.0)
    assert b"here" in ask(port, ASK)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", b"here"),
        (b"POST /slow HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ],
)
def test_who_has_asked_waits_for_a_late_answer(port: int, asked: bytes, found: bytes) -> None:
    """A policy is loaded for minutes before the server of engines answers."""
    assert found in ask(port, asked)


def test_a_pause_in_a_request_ends_it(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(Echo, "timeout", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=300) as link:
        link.sendall(b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nhello")
        assert b"hello" not in read(link)


def test_an_error_of_ours_is_one_line(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(port, b"GET /fails HTTP/1.1\r\n\r\n") == b""
    said: list[str] = []
    _until(lambda: bool(said.append(capsys.readouterr().err) or "".join(said)))
    assert "".join(said).count("\n") == 1 and "Traceback" not in "".join(said)
    assert b"here" in ask(port, ASK)


def _until(done: Callable[[], Any]) -> None:
    for _ in range(6000):
        if done():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came")
