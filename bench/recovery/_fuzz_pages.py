"""Requests to the server of the reports: of strangers, and of a friend who has the secret."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from random import Random
from typing import Any

from bench.recovery._fuzz_http import Wire, request, status_of
from bench.recovery.fuzz import Violation
from flows.server.access import COOKIE, authorization, derived
from flows.server.limited_http import LimitedServer
from flows.station.web import pages_server
from tasks.dag.runtime import home

_SECRET = "restem:fuzzed-SENTINEL"
_OUTSIDE, _INSIDE = b"OUTSIDE-SENTINEL", b"a line of the log"
# A good request in between, from time to time.
_CHECK = 100
_PATHS = (
    *("/notices", "/", "/runs/demo-1/logs/engine.log", "/runs/demo-1/report.html"),
    *("/runs/demo-1", "/runs/demo-1/samples?purpose=test&iteration=1&text=a&page=2"),
)


class Pages:
    """The real server, in a thread."""

    def __init__(self, folder: Path) -> None:
        """Start it over a home with a run."""
        run = home() / "runs" / "demo-1"
        (run / "logs").mkdir(parents=True)
        head = {"run": "demo-1", "state": "completed", "started": 1.0, "pid": 1, "config": {}}
        (run / "run.json").write_text(json.dumps(head), encoding="utf-8")
        (run / "logs" / "engine.log").write_bytes(_INSIDE)
        (run / "report.html").write_bytes(b"<h1>report</h1>" * 1000)
        for place in (folder / "secret.html", home() / "secret.html", run / ".hidden.html"):
            place.write_bytes(_OUTSIDE)
        (run / "link.html").symlink_to(folder / "secret.html")
        self.errors: list[str] = []
        self._server = pages_server("127.0.0.1", 0, _SECRET)
        self._server.handle_error = self._failed  # type: ignore[method-assign]
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self._wire, self._tried = Wire(self._port), 0
        self._names = [f"Host: 127.0.0.1:{self._port}"]
        basic = f"Authorization: {authorization(_SECRET)['Authorization']}"
        cookie = f"Cookie: {COOKIE}={derived(_SECRET, 'pages')}"
        self._friends = [[*self._names, basic], [*self._names, cookie]]
        paths = ("/", "/notices", "/runs/demo-1/logs/engine.log", "/runs/demo-1/link.html")
        ends = "\r\nConnection: keep-alive\r\n\r\n"
        self._good = [
            f"GET {path} HTTP/1.1\r\n{names[0]}\r\n{names[1]}{ends}".encode()
            for path in paths
            for names in self._friends
        ]
        head = (
            f"POST /notices HTTP/1.1\r\n{self._names[0]}\r\n{basic}\r\nContent-Length: 13\r\n\r\n"
        )
        self._good.append(head.encode() + b'{"text": "a"}')

    def try_one(self, random: Random) -> str:
        """Send one request, and from time to time a good one."""
        self._tried += 1
        friend = random.random() < 0.6
        names = random.choice(self._friends) if friend else self._names
        way, answer = self._wire.send(request(random, self._good, names, _PATHS), random)
        if _OUTSIDE in answer:
            raise Violation("a file from outside")
        if _SECRET.encode() in answer or b"Traceback" in answer:
            raise Violation("an answer tells what it should not")
        if self.errors:
            raise Violation(f"a traceback: {self.errors.pop()}")
        if self._tried % _CHECK == 0 and _INSIDE not in self._wire.ask(self._good[4]):
            raise Violation("it answers no more")
        return f"{way}: {status_of(answer)}"

    def close(self) -> None:
        """End the server."""
        self._wire.close()
        self._server.shutdown()
        self._server.server_close()

    def _failed(self, request: Any, client_address: Any) -> None:
        import sys

        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.errors.append(f"{error!r:.150}")


def open_target(folder: Path) -> Pages:
    """The target, over the home of the environment."""
    assert LimitedServer.daemon_threads
    return Pages(folder)
