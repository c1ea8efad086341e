"""The pages server: reports, runs and notices; nothing outside RESTEM_HOME/runs."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.server.access import COOKIE, authorization, derived
from flows.station.web import notices, pages_server

SECRET = "restem:of-the-test"


@pytest.fixture
def pages(home: Path) -> Iterator[int]:
    run = home / "runs" / "demo-1"
    (run / "logs").mkdir(parents=True)
    head = {"run": "demo-1", "state": "completed", "started": 1.0, "pid": 1, "config": {}}
    (run / "run.json").write_text(json.dumps(head))
    (run / "report.html").write_text("<h1>report</h1>")
    (run / "logs" / "engine.log").write_text("a line")
    (run / ".hidden.html").write_text("secret")
    (run / "lock").write_text("secret")
    (home / "secret.html").write_text("secret")
    (run / "link.html").symlink_to(home / "secret.html")
    bad = home / "runs" / "<b>"
    bad.mkdir()
    (bad / "run.json").write_text(json.dumps(head | {"state": "failed", "error": "<script>"}))
    (home / "runs" / "broken").mkdir()
    (home / "runs" / "broken" / "run.json").write_text("{")
    server = pages_server("127.0.0.1", 0, SECRET)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def ask(
    port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, str]:
    """With the secret, unless headers say otherwise."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    link.request(method, path, body, {**authorization(SECRET), **headers})
    reply = link.getresponse()
    text = reply.read().decode()
    link.close()
    return reply.status, text


def test_runs_are_listed_with_their_reports(pages: int) -> None:
    status, text = ask(pages, "/")
    assert status == 200
    assert '<a href="/runs/demo-1/report.html">report</a>' in text
    assert "completed" in text
    assert "failed &lt;script&gt;" in text
    assert text.count("<script>") == 1  # the page's own
    assert "broken" in text and "damaged: run.json: not JSON" in text


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/runs/demo-1/report.html", "<h1>report</h1>"),
        ("/runs/demo-1/logs/engine.log", "a line"),
        ("/runs/demo-1/report.html?x=1", "<h1>report</h1>"),
    ],
)
def test_files_of_runs(pages: int, path: str, content: str) -> None:
    assert ask(pages, path) == (200, content)


@pytest.mark.parametrize(
    "path",
    [
        "/secret.html",
        "/runs/../secret.html",
        "/runs/demo-1/../../secret.html",
        "/runs/demo-1/..%2f..%2fsecret.html",
        "/runs/%2e%2e/secret.html",
        "/runs/%2e%2e%2fsecret.html",
        "//etc/passwd",
        "/runs/demo-1//etc/passwd",
        "/runs/demo-1/link.html",
        "/runs/demo-1/.hidden.html",
        "/runs/demo-1/lock",
        "/runs/none",
        "/runs/none/samples",
        "/runs/demo-1/samples/1",
        "/runs/../runs",
        "/runs/demo-1/logs",
        "/runs/demo-1/other/engine.log",
        "/runs/none/report.html",
        "/runs/demo-1/report.html%00",
    ],
)
def test_nothing_else_is_given(pages: int, path: str) -> None:
    status, text = ask(pages, path)
    assert (status, text) == (404, "no such page\n")


def test_notices(pages: int) -> None:
    told = json.dumps({"text": "run <x> failed", "link": "http://127.0.0.1:4200/runs/1"})
    assert ask(pages, "/notices", "POST", told.encode())[0] == 200
    assert ask(pages, "/notices", "POST", b"plain \xff words")[0] == 200
    unsafe = json.dumps({"text": "t", "link": "javascript:alert(1)"})
    assert ask(pages, "/notices", "POST", unsafe.encode())[0] == 200
    status, text = ask(pages, "/notices")
    assert status == 200
    assert "run &lt;x&gt; failed" in text
    assert '<a href="http://127.0.0.1:4200/runs/1">open</a>' in text
    assert "plain" in text
    assert "javascript" not in text
    assert notices()[-1]["notice"] == json.loads(told)


def test_a_long_notice_is_refused(pages: int) -> None:
    assert ask(pages, "/notices", "POST", b"x" * 70_000)[0] == 413
    assert ask(pages, "/notices", "POST", b"x", **{"Content-Length": "-1"})[0] == 413
    assert ask(pages, "/notices")[0] == 200


def test_a_page_from_elsewhere_cannot_ask(pages: int) -> None:
    """A name of another host that leads here (DNS rebinding) is not this server's."""
    for path in ("/", "/runs/demo-1", "/runs/demo-1/samples"):
        assert ask(pages, path, Host="evil.example")[0] == 403
        assert ask(pages, path, Origin="http://evil.example")[0] == 403
    assert ask(pages, "/notices", "POST", b"x", Host="evil.example")[0] == 403
    assert ask(pages, "/notices", "POST", b"x", Origin="http://evil.example")[0] == 403
    assert notices() == []
    assert ask(pages, "/", Host=f"localhost:{pages}")[0] == 200


def test_nobody_reads_without_the_cookie_or_the_secret(pages: int) -> None:
    good = f"{COOKIE}={derived(SECRET, 'pages')}"
    pages_of_runs = ("/runs", "/runs/demo-1", "/runs/demo-1/samples", "/runs/none/samples")
    for path in ("/", "/notices", "/runs/demo-1/report.html", *pages_of_runs):
        for wrong in ("", "Basic", "Basic x", f"Bearer {derived(SECRET, 'pages')}"):
            status, text = ask(pages, path, Authorization=wrong)
            assert status == 401 and "restem up" in text
        for cookie in ("", f"{COOKIE}=", f"{COOKIE}={SECRET}", f"x{good}", f"{good}0"):
            assert ask(pages, path, Authorization="", Cookie=cookie)[0] == 401
    assert ask(pages, "/", Authorization="", Cookie=f"other=1; {good}")[0] == 200
    assert ask(pages, "/health", Authorization="") == (200, "true")


def test_a_notice_needs_the_secret_or_the_value_of_the_automations(pages: int) -> None:
    good = f"{COOKIE}={derived(SECRET, 'pages')}"
    for wrong in ("", f"Bearer {derived(SECRET, 'pages')}"):
        assert ask(pages, "/notices", "POST", b"x", Authorization=wrong, Cookie=good)[0] == 401
    assert notices() == []
    right = f"Bearer {derived(SECRET, 'notices')}"
    assert ask(pages, "/notices", "POST", b"x", Authorization=right)[0] == 200
    assert ask(pages, "/notices", Authorization=right)[0] == 401  # good for nothing else


@pytest.mark.parametrize("name", ["restem.example", "restem.example:7", "https://restem.example/x"])
def test_other_names_are_listed(home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEM_HOSTS", f"elsewhere, {name}")
    server = pages_server("0.0.0.0", 0, SECRET)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    port = server.server_address[1]
    try:
        assert ask(port, "/", Host=name.removeprefix("https://").removesuffix("/x"))[0] == 200
        assert ask(port, "/", Host=f"127.0.0.1:{port}")[0] == 200
        for other in ("evil.example", f"evil.example:{port}", "restem.example:8", "127.0.0.1"):
            assert ask(port, "/", Host=other)[0] == 403
    finally:
        server.shutdown()
        server.server_close()


def test_other_methods_and_addresses(pages: int) -> None:
    assert ask(pages, "/", "POST", b"x")[0] == 404
    assert ask(pages, "/", "DELETE")[0] == 501
    assert ask(pages, "/", "HEAD") == (200, "")
