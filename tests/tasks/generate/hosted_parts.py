"""A service of the tests' own that speaks the protocol of chat completions, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tasks.decoding.request import Completions, Sampling
from tasks.generate.hosted import client, patience
from tasks.generate.hosted import engine as hosted
from tasks.generate.hosted.answers import FILE
from tasks.generate.hosted.engine import HostedEngine
from tasks.generate.hosted.service import HostedModel
from tasks.settings import TeacherField

KEY = "sk-SENTINEL-9f31c7"
SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=50)


@dataclass(frozen=True)
class Reply:
    """What the service does with a request.

    Attributes:
        body: JSON, or bytes that are none.
        cut: Bytes of the body after which the connection is closed.
        wait: Is waited for before anything is sent.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    wait: threading.Event | None = None


Answer = Callable[[dict[str, Any], int], Reply]  # the request, and how many came before it


def said(text: str | None, finish: str = "stop", **message: Any) -> Reply:
    """An answer as it should be: 11 tokens read, 7 written."""
    choice = {"index": 0, "finish_reason": finish, "message": {"content": text, **message}}
    return Reply(
        {"choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 7}},
    )


def failed(
    status: int, message: str = "", headers: dict[str, str] | None = None, **more: Any
) -> Reply:
    """An error in the protocol's form."""
    return Reply({"error": {"message": message, **more}}, status, headers or {})


def question(request: dict[str, Any]) -> str:
    """The last turn."""
    return request["messages"][-1]["content"]


@dataclass
class Service:
    """The service, and what it was asked."""

    address: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: dict[str, Any], headers: dict[str, str]) -> int:
        """Note a request; returns how many came before it."""
        with self.lock:
            self.times.append(time.monotonic())
            self.requests.append(request)
            self.headers.append(headers)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            return len(self.requests) - 1

    def leave(self) -> None:
        """A request is over."""
        with self.lock:
            self.at_once -= 1


@contextmanager
def serving(answer: Answer) -> Iterator[Service]:
    """A service that answers so, for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(length))
            number = service.take(request, dict(self.headers))
            try:
                if self.path.endswith("/chat/completions"):
                    self.send(answer(request, number))
                else:
                    self.send(failed(404, f"no such path {self.path}"))
            finally:
                service.leave()

        def send(self, reply: Reply) -> None:
            if reply.wait is not None:
                reply.wait.wait(300)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: reply.cut])
                self.wfile.flush()
            except OSError:  # who asked is gone
                pass
            if reply.cut is not None:
                self.close_connection = True

        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = Service(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def in_turn(replies: Sequence[Reply], then: Reply) -> Answer:
    """These replies to the first requests, and another one to all that follow."""
    return lambda _, number: replies[number] if number < len(replies) else then


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a service does not ask for are short."""
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(patience, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(client, "SPREAD_SECONDS", 0.01)
    monkeypatch.setattr(hosted, "GRACE_SECONDS", 300.0)


def prompts(*questions: str) -> list[str]:
    return [json.dumps([{"role": "user", "content": text}]) for text in questions]


@contextmanager
def engine(
    service: Service,
    home: Path,
    *,
    requests: int = 4,
    stall: float = 300.0,
    words: list[str] | None = None,
    fields: Sequence[TeacherField] = (),
    field: str = "sampling.teacher",
) -> Iterator[HostedEngine]:
    model = HostedModel("some-model", service.address)
    made = HostedEngine(
        model,
        KEY,
        home / FILE,
        requests=requests,
        prices=(2.0, 10.0),
        stall=stall,
        fields=fields,
        field=field,
        say=(words if words is not None else []).append,
    )
    try:
        yield made
    finally:
        made.close()


def sampled(
    answer: Answer,
    home: Path,
    asked: list[tuple[int, int]],
    *questions: str,
    sampling: Sampling = SAMPLING,
) -> tuple[Completions, Service]:
    with serving(answer) as service, engine(service, home) as made:
        return made.sample(prompts(*questions), asked, sampling), service
