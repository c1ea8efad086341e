"""How a Prefect server is asked: whom the secret reaches, and what is tried again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from flows.server import api as module
from flows.server.api import Api, ApiError

SECRET = "restem:of-the-test"
RUN = {
    "id": "r1",
    "name": "demo",
    "work_pool_name": None,
    "state": {
        "id": "s1",
        "type": "RUNNING",
        "name": "Running",
        "timestamp": "2026-01-02T03:04:05.678Z",
    },
}


@dataclass
class Server:
    """A server that gives the answers that it was told, in turn.

    Attributes:
        answers: Status and body; the body of a redirection is the address.
        asked: Path and Authorization of each request.
    """

    port: int
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"


def serve() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            mine.asked.append((self.path, self.headers["Authorization"]))
            status, body = mine.answers.pop(0)
            self.send_response(status)
            if status in (302, 307):
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        mine = Server(server.server_port)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield mine
        server.shutdown()


server = pytest.fixture(serve, name="server")
other = pytest.fixture(serve, name="other")


def test_a_flow_run_and_its_state_are_read(server: Server) -> None:
    server.answers = [(200, json.dumps(RUN).encode()), (200, json.dumps([RUN]).encode())]
    found = Api(server.address, secret=SECRET).flow_run("r1")
    assert (found.name, found.pool, found.kind, found.state_id) == ("demo", None, "RUNNING", "s1")
    assert Api(server.address, secret=SECRET).flow_runs("RUNNING") == [found]


def test_a_flow_run_of_another_form_is_an_error(server: Server) -> None:
    server.answers = [(200, json.dumps({**RUN, "state": None}).encode())]
    with pytest.raises(ApiError, match="another form"):
        Api(server.address, secret=SECRET).flow_run("r1")


def test_a_busy_server_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_WAITS", (0.0, 0.0))
    server.answers = [(503, b"busy"), (503, b"busy"), (200, b'{"id": 1}')]
    assert Api(server.address, secret=SECRET).post("/x", {}) == {"id": 1}
    server.answers = [(503, b"busy")] * 3
    with pytest.raises(ApiError, match="503 busy"):
        Api(server.address, secret=SECRET).get("/x")


def test_the_servers_own_words_are_told(server: Server) -> None:
    server.answers = [(422, b"no such pool"), (200, b"<html>"), (200, b"")]
    with pytest.raises(ApiError, match="POST /x: 422 no such pool") as caught:
        Api(server.address, secret=SECRET).post("/x", {})
    assert caught.value.status == 422
    with pytest.raises(ApiError, match="not JSON"):
        Api(server.address, secret=SECRET).get("/x")
    assert Api(server.address, secret=SECRET).get("/x") is None


@pytest.mark.parametrize("status", [302, 307])
def test_the_secret_is_not_redirected(server: Server, other: Server, status: int) -> None:
    server.answers = [(status, f"{other.address}/x".encode())]
    with pytest.raises(ApiError) as caught:
        Api(server.address, secret=SECRET).get("/x")
    assert caught.value.status == status
    assert len(server.asked) == 1 and not other.asked


def test_a_proxy_of_the_environment_is_told_nothing(
    server: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
    server.answers = [(200, b"true")]
    assert Api(server.address, secret=SECRET).healthy()
    assert [path for path, _ in server.asked] == ["/api/health"] and not other.asked


def test_nobody_there() -> None:
    api = Api("http://127.0.0.1:9/api", secret=SECRET)
    with pytest.raises(ApiError) as caught:
        api.get("/x")
    assert caught.value.status == 0
    assert not api.healthy()
