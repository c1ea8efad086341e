"""Requests of a greedy shard, one for each prompt, go to all servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tasks.decoding.request import Sampling
from tasks.generate.endpoint import EngineOptions
from tasks.generate.endpoints import EndpointEngine
from tasks.store.store import ArtifactRef

POLICY = ArtifactRef("models", "a" * 32, "digest", 0)


class _Server(BaseHTTPRequestHandler):
    """Completions as `restem engine serve` gives them; it counts those of its address."""

    protocol_version = "HTTP/1.1"
    served: list[int]  # what handlers in several threads may append to

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        self._answer({"url": f"http://127.0.0.1:{self.server.server_address[1]}/v1"})

    def do_POST(self) -> None:
        self.served.append(self.server.server_address[1])
        choice = {"text": "7", "finish_reason": "stop"}
        self._answer({"choices": [choice], "usage": {"completion_tokens": 1}})

    def _answer(self, value: dict[str, Any]) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def _serving(served: list[int]) -> Iterator[int]:
    handler = type("Counting", (_Server,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_a_greedy_shard_goes_to_all_servers_alike() -> None:
    served = list[int]()
    with ExitStack() as stack:
        ports = [stack.enter_context(_serving(served)) for _ in range(4)]
        addresses = [f"http://127.0.0.1:{port}" for port in ports]
        engine = EndpointEngine(addresses, POLICY, EngineOptions("float32", 256), stall=600.0)
        prompts = [str(i) for i in range(64)]
        found = engine.sample(prompts, [(i, 0) for i in range(64)], Sampling(temperature=0.0))
    assert len(found) == 64
    assert [served.count(port) for port in ports] == [16] * 4
