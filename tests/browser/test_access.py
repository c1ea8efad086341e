"""A page from elsewhere starts nothing, and a person opens the UI by one link.

Both in a real browser: what it sends along, and what it lets a page read, is what matters.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from flows.server import access
from tests.browser.conftest import LOAD_MS, SIZE, UI_MS
from tests.flows.station.conftest import Station, until
from tests.ports import free_port
from tests.small import TINY

# What the page tries; each gives the status that it could see, or that it could see none.
TRIES = {
    "json": {"method": "POST", "headers": {"Content-Type": "application/json"}},
    "text": {"method": "POST", "headers": {"Content-Type": "text/plain"}},
    "blind": {"method": "POST", "mode": "no-cors", "headers": {"Content-Type": "text/plain"}},
    "cookies": {"method": "POST", "credentials": "include"},
}
TRY = """async ([address, options]) => {
  try { const reply = await fetch(address, options); return `${reply.type} ${reply.status}`; }
  catch (error) { return "refused"; }
}"""
FORM = """([address, body]) => {
  const form = document.createElement("form");
  form.method = "POST"; form.enctype = "text/plain"; form.action = address;
  const field = document.createElement("input");
  [field.name, field.value] = [body.slice(0, -1) + ', "x": "', '"}'];
  form.append(field); document.body.append(form); form.submit();
}"""


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """The port of another page's server."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><body>elsewhere</body>")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def window(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport=SIZE)
    context.set_default_timeout(UI_MS)
    return context


@pytest.fixture
def link(station: Station) -> str:
    """The one that `restem up` prints."""
    (line,) = [line for line in station.up().splitlines() if "/open#" in line]
    return line.split()[-1]


@pytest.mark.parametrize("signed_in", [False, True])
def test_a_page_from_elsewhere_starts_nothing(
    station: Station,
    window: BrowserContext,
    elsewhere: int,
    link: str,
    tmp_path: Path,
    signed_in: bool,
) -> None:
    """Also where the person has opened the UI in the same browser before."""
    if signed_in:
        _open(window.new_page(), link)
    mark = tmp_path / "it-ran"
    body = json.dumps({"job_variables": {"command": f"touch {mark}"}})
    run = f"/api/deployments/{station.deployment('rest-em/math-demo')['id']}/create_flow_run"
    before = station.api.post("/flow_runs/count", {})
    own = f"http://127.0.0.1:{station.port}"
    for origin in (f"http://evil.example:{elsewhere}", f"http://127.0.0.1:{elsewhere}"):
        page = window.new_page()
        page.goto(origin)
        for name, options in TRIES.items():
            said = page.evaluate(TRY, [own + run, {**options, "body": body}])
            assert said == ("opaque 0" if name == "blind" else "refused"), name
        for address in (f"{own}/api/deployments/filter", f"{own}/open"):
            assert page.evaluate(TRY, [address, {"method": "POST"}]) == "refused"
        for address in (f"{own}/ui-settings", f"http://127.0.0.1:{station.pages}/"):
            assert page.evaluate(TRY, [address, {"credentials": "include"}]) == "refused"
        notice = [f"http://127.0.0.1:{station.pages}/notices", {"method": "POST", "body": "fake"}]
        assert page.evaluate(TRY, notice) == "refused"
        with page.expect_navigation() as sent:
            page.evaluate(FORM, [own + run, body])
        assert sent.value.status == 403
    assert station.api.post("/flow_runs/count", {}) == before
    assert not mark.exists()
    notices = station.home / "prefect" / "notices.jsonl"
    assert not notices.exists() or "fake" not in notices.read_text()


def test_a_name_that_was_made_to_lead_here_is_refused(
    station: Station, window: BrowserContext, link: str
) -> None:
    _open(window.new_page(), link)
    page = window.new_page()
    for port in (station.port, station.pages):
        answer = page.goto(f"http://evil.example:{port}/")
        assert answer is not None and answer.status == 403
        for path in ("/api/health", "/api/admin/version", "/ui-settings", "/open", "/notices"):
            said = page.evaluate(TRY, [path, {}])
            # What the reports' server answers forbids a page to ask anything.
            assert said == ("basic 403" if port == station.port else "refused"), path


def test_a_person_opens_the_ui_and_a_report_by_one_link(
    station: Station, window: BrowserContext, link: str
) -> None:
    station.wait_for(station.start(*TINY), "COMPLETED")
    page = window.new_page()
    _open(page, link)
    assert "#" not in page.url
    page.get_by_role("link", name="Deployments", exact=True).click()
    expect(page.get_by_role("link", name="math-demo", exact=True)).to_be_visible()
    again = window.new_page()  # the link is needed once
    again.goto(f"http://127.0.0.1:{station.port}/v2/deployments", timeout=LOAD_MS)
    expect(again.get_by_role("link", name="math-demo", exact=True)).to_be_visible()
    again.goto(f"http://127.0.0.1:{station.port}/flows", timeout=LOAD_MS)
    expect(again.get_by_text("rest-em").first).to_be_visible()
    answer = again.goto(f"http://127.0.0.1:{station.pages}/")
    assert answer is not None and answer.status == 200
    again.get_by_role("link", name="report").first.click()
    expect(again.get_by_text("math-demo").first).to_be_visible()
    assert access.COOKIE not in again.evaluate("document.cookie")  # no script reads it
    (cookie,) = [one for one in window.cookies() if one.get("name") == access.COOKIE]
    assert cookie.get("sameSite") == "Strict" and cookie.get("httpOnly")


def test_without_the_link_a_person_is_told_where_it_is(
    station: Station, window: BrowserContext
) -> None:
    page = window.new_page()
    page.goto(f"http://127.0.0.1:{station.port}/open")
    expect(page.get_by_text("restem up")).to_be_visible()
    page.goto("about:blank")
    page.goto(f"http://127.0.0.1:{station.port}/open#cmVzdGVtOndyb25n")
    expect(page.get_by_text("another station")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0


def test_restem_up_opens_the_browser_where_there_is_a_display(
    station: Station, window: BrowserContext, tmp_path: Path
) -> None:
    """The browser's command has no secret: it is given a file that only this user may read."""
    said = tmp_path / "said"
    stub = tmp_path / "browser"
    stub.write_text(f'#!/bin/sh\necho "$@" > {said}\n')
    stub.chmod(0o755)
    ports = ("--port", str(station.port), "--pages", str(station.pages))
    done = station.command("up", *ports, DISPLAY=":0", BROWSER=str(stub))
    assert done.returncode == 0 and "/open#" not in done.stdout, done.stderr
    file = Path(until(said.read_text).strip().removeprefix("file://"))
    assert file.stat().st_mode & 0o777 == 0o600
    page = window.new_page()
    page.goto(file.as_uri())
    page.wait_for_url("**/dashboard*", timeout=LOAD_MS)
    file.unlink()


def test_a_server_of_a_run_opens_by_a_link_too(window: BrowserContext, tmp_path: Path) -> None:
    """`restem serve`: no station, the same access."""
    other = Station(tmp_path / "other", free_port(), free_port())
    served = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "flows.cli.main",
            "serve",
            "--port",
            str(other.port),
            "--no-browser",
        ],
        cwd=Path(__file__).resolve().parents[2],
        env=other.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert served.stdout is not None
        assert served.stdout.readline().startswith("UI: ")
        page = window.new_page()
        _open(page, served.stdout.readline().split()[-1])
        page.get_by_role("link", name="Deployments", exact=True).click()
        expect(page.get_by_role("link", name="local", exact=True)).to_be_visible()
    finally:
        # Prefect's runner may lose a signal that comes while it starts.
        while served.poll() is None:
            served.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                served.wait(30)


def _open(page: Page, link: str) -> None:
    page.goto(link, timeout=LOAD_MS)
    page.wait_for_url("**/dashboard*", timeout=LOAD_MS)
