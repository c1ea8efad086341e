"""Where tokens go: to the addresses that a run names, and not where those lead on."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.decoding.request import Sampling
from tasks.errors import StepError, UserError
from tasks.generate import served_shard
from tasks.generate.endpoint import EngineOptions
from tasks.generate.endpoints import EndpointEngine
from tasks.generate.engine_token import TOKEN, token_file, token_for
from tasks.generate.hosted.chat import Ask
from tasks.generate.hosted.client import Client
from tasks.generate.hosted.service import HostedModel
from tasks.settings.secret import kept_secret
from tasks.store.store import ArtifactRef

POLICY = ArtifactRef("model", "k" * 32, "d" * 64, 0)
SECRET = "SENTINEL-of-the-test"


@dataclass
class Far:
    """A server that answers every request alike, and what it was sent.

    Attributes:
        heard: Authorization of each request, "" where it had none.
        answer: Status, headers and JSON.
    """

    address: str = ""
    heard: list[str] = field(default_factory=list)
    answer: tuple[int, dict[str, str], object] = (404, {}, {})


@pytest.fixture
def servers() -> Iterator[tuple[Far, Far]]:
    """One that the run names, and another one."""
    made = [_server(host) for host in ("127.0.0.1", "127.0.0.2")]
    yield made[0][1], made[1][1]
    for server, _ in made:
        server.shutdown()
        server.server_close()


def _server(host: str) -> tuple[ThreadingHTTPServer, Far]:
    far = Far()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            far.heard.append(self.headers.get("Authorization", ""))
            status, headers, body = far.answer
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = _any

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((host, 0), Handler)
    far.address = f"http://{host}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server, far


def sample(address: str) -> None:
    """Ask an endpoint for one sample."""
    engine = EndpointEngine([address], POLICY, EngineOptions("float32", 1), stall=300.0)
    engine.sample(["a"], [(0, 1)], Sampling(temperature=1.0, top_k=0, max_tokens=4, stop=()))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_gets_no_engine_token(
    servers: tuple[Far, Far], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, other = servers
    monkeypatch.setenv(TOKEN, SECRET)
    named.answer = (status, {"Location": f"{other.address}/policy"}, {})
    with pytest.raises((UserError, StepError), match=r"resources\.endpoints"):
        sample(named.address)
    assert named.heard and set(named.heard) == {f"Bearer {SECRET}"}
    assert other.heard == []


def test_an_endpoint_cannot_name_another_machine_for_the_requests(
    servers: tuple[Far, Far], monkeypatch: pytest.MonkeyPatch
) -> None:
    named, other = servers
    monkeypatch.setenv(TOKEN, SECRET)
    for url in (f"{other.address}/v1", named.address.replace("//", "//x@"), "", None, ["a"]):
        named.answer = (200, {}, {"url": url})
        with pytest.raises(UserError, match="another machine"):
            sample(named.address)
    named.answer = (200, {}, [])
    with pytest.raises(UserError, match="another machine"):
        sample(named.address)
    assert other.heard == []


def test_an_endpoint_may_name_another_port_and_its_own_number(
    servers: tuple[Far, Far], monkeypatch: pytest.MonkeyPatch
) -> None:
    named, _ = servers
    monkeypatch.setenv(TOKEN, SECRET)
    # It answers no request for samples; once it was sent one, we have waited for long enough.
    monkeypatch.setattr(
        served_shard, "silent_since", lambda _: math.inf if len(named.heard) > 1 else 0.0
    )
    port = named.address.rpartition(":")[2]
    named.answer = (200, {}, {"url": f"{named.address}/v1"})
    with pytest.raises(StepError):  # it samples nothing, but was asked for it
        sample(f"http://localhost:{port}")
    assert len(named.heard) > 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_gets_no_key_of_a_hosted_model(servers: tuple[Far, Far], status: int) -> None:
    named, other = servers
    named.answer = (status, {"Location": f"{other.address}/v1/chat/completions"}, {})

    async def ask() -> None:
        client = Client(HostedModel("m", f"{named.address}/v1"), SECRET, requests=1, stall=300.0)
        try:
            await client.answer(Ask([{"role": "user", "content": "a"}], _sampling(), 1))
        finally:
            await client.close()

    with pytest.raises(UserError, match=f"answers HTTP {status}"):
        asyncio.run(ask())
    assert named.heard == [f"Bearer {SECRET}"]
    assert other.heard == []


def _sampling() -> Sampling:
    return Sampling(temperature=1.0, top_k=0, max_tokens=4, stop=())


def test_a_redirection_gets_no_token_of_the_hub(servers: tuple[Far, Far], tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    named, other = servers
    named.answer = (302, {"Location": f"{other.address}/api/models/a/b"}, {})
    other.answer = (200, {}, {"id": "a/b"})
    HfApi(endpoint=named.address, token=SECRET).model_info("a/b")
    assert named.heard == [f"Bearer {SECRET}"]
    assert SECRET not in "".join(other.heard)


def test_where_addresses_are_listed_no_other_is_sent_a_token(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_secret(token_file(), lambda: "made")
    monkeypatch.setenv("RESTEM_ADDRESSES", "http://gpu1:8100, http://localhost:8100")
    assert token_for("http://localhost:8100/") == "made"
    assert token_for("http://127.0.0.1:8100") == ""
    monkeypatch.setenv(TOKEN, SECRET)
    assert token_for("HTTP://gpu1:8100/") == SECRET
    for other in ("http://gpu2:8100", "http://gpu1:8100@evil.example", "http://gpu1.:8100"):
        assert token_for(other) == ""


@pytest.mark.parametrize(
    "address",
    ["http://a@b:1", "gpu1:8100", "ftp://a", "http://", "http://a:1?x", "http://a:1\\@b", "\0"],
)
def test_an_endpoint_that_is_no_address_is_one_line(address: str) -> None:
    with pytest.raises(UserError, match=r"^resources\.endpoints: .*expected http://") as caught:
        sample(address)
    assert "\n" not in str(caught.value)
