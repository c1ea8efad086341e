"""Pairs that no run drew, with a page's server in this process; and `restem label` as a command."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.audit.label.labels import LabelFile
from flows.audit.label.pairs import AskedPair, AskedPairs
from flows.audit.label.server import label_server
from flows.audit.label.session import Session
from tasks.compare.draw import Pair
from tasks.evaluate.alignment import PairKey
from tests.flows.conftest import Restem

TOKEN = "a-token-of-the-test"
JSON = "application/json"


def asked(count: int = 5, said: dict[str, dict[PairKey, float]] | None = None) -> AskedPairs:
    """Pairs of problems p0, p1 and so on, samples 0 and 1 of each."""
    pairs = [
        AskedPair(f"id{n}", Pair(f"p{n}", 0, 1, (f"first {n}", f"second {n}")), f"question {n}?")
        for n in range(count)
    ]
    return AskedPairs("demo-1", 0, pairs, said or {})


def session(file: Path, person: str = "ann", pairs: AskedPairs | None = None) -> Session:
    return Session(pairs or asked(), LabelFile(file), person)


@dataclass
class Client:
    """A program that asks the page's server; it has the token unless a header says otherwise."""

    port: int

    def __call__(
        self, path: str, body: Any = None, method: str = "", **headers: str
    ) -> tuple[int, Any]:
        """Status and answer, JSON read."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": JSON}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        link.request(method or ("POST" if body is not None else "GET"), path, raw, given | named)
        reply = link.getresponse()
        text = reply.read().decode()
        link.close()
        is_json = reply.headers.get_content_type() == JSON
        return reply.status, json.loads(text) if is_json else text


@contextmanager
def serving(file: Path, person: str = "ann", pairs: AskedPairs | None = None) -> Iterator[Client]:
    server = label_server(0, TOKEN, session(file, person, pairs))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield Client(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def labelling(
    restem: Restem, *arguments: str, port: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`restem label`, its link and its process."""
    command = [sys.executable, "-m", "flows.cli", "label", "--no-browser"]
    with subprocess.Popen(
        [*command, "--port", str(port), *arguments],
        cwd=restem.root,
        env=restem.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            yield next(line.split()[-1] for line in lines if "/#" in line), process
        finally:
            process.kill()
