"""A small web server for what a browser wants beside Prefect's UI: reports, runs, notices.

    /                        runs of this home with their state, and their reports
    /runs/RUN/FILE           a file of a run's folder, such as report.html
    /notices                 what the automations told; POST adds one

It reads RESTEM_HOME/runs and writes RESTEM_HOME/prefect/notices.jsonl, nothing else. A reader has
the cookie that the UI's server gives (flows/server/open_page.py), or the secret by HTTP Basic; an
automation has a value of its own. Whatever address it binds, it answers only requests that name one
of its own hosts (flows/server/hosts.py), so that a page from elsewhere cannot reach it through a
browser.
"""

from __future__ import annotations

import contextlib
import hmac
import html
import json
import os
import re
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from flows.runs.journal import HEAD, newest_heads, read_head
from flows.server.access import CLIENT, COOKIE, derived, secret_file, shows
from flows.server.address import started
from flows.server.hosts import HostNames, host_names
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.facts import WrongFacts
from tasks.settings.secret import read_secret

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".parquet": "application/octet-stream",
}
_NOTICE_BYTES = 64 * 1024
# Older notices go to notices.1.jsonl, and those before them go.
_FILE_BYTES = 1024 * 1024
_SHOWN = 200
_HOW = (
    "These pages are for those who may open this station's UI. Open it once with the link that "
    "`restem up` prints, and come back; or sign in with the user and the password of the UI."
)
_add_lock = threading.Lock()
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem;
  color-scheme: light dark }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #8884;
  vertical-align: top }}
</style>
<nav><a href="/">runs</a> · <a href="/notices">notices</a></nav>
<h1>{title}</h1>
{body}
</html>
"""


class Pages(BaseHTTPRequestHandler):
    """Answers one request."""

    server_version = "restem"
    sys_version = ""
    # Of the server that a handler is made for (`pages_server`).
    own: HostNames
    secret: str

    def do_GET(self) -> None:
        """Give a page or a file."""
        if not self._meant_for_us():
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/") if part]
        if parts != ["health"] and not self._may_read():
            self._fail(HTTPStatus.UNAUTHORIZED, _HOW)
        elif not parts:
            self._page("Runs", _runs())
        elif parts == ["notices"]:
            self._page("Notices", _notices())
        elif parts == ["health"]:
            self._send(b"true", "application/json")
        elif file := _file(parts):
            self._send(file.read_bytes(), _TYPES[file.suffix])
        else:
            self._fail(HTTPStatus.NOT_FOUND, "no such page")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Add a notice."""
        if not self._meant_for_us():
            return
        if "Origin" in self.headers:
            self._fail(HTTPStatus.FORBIDDEN, "a page in a browser may not add a notice")
            return
        given, token = self.headers.get("Authorization", ""), derived(self.secret, "notices")
        if not (shows(given, self.secret) or _equal(given, f"Bearer {token}")):
            self._fail(HTTPStatus.UNAUTHORIZED, "a notice needs the secret of this station")
            return
        if urlsplit(self.path).path.rstrip("/") != "/notices":
            self._fail(HTTPStatus.NOT_FOUND, "only /notices takes a POST")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _NOTICE_BYTES:
            self._fail(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"expected a body of at most {_NOTICE_BYTES} bytes with its length",
            )
            return
        add_notice(self.rfile.read(int(length)).decode(errors="replace"))
        self._send(b"true", "application/json")

    def _meant_for_us(self) -> bool:
        origins = self.headers.get_all("Origin", [])
        refused = self.own.refusal(self.headers.get_all("Host", []), origins)
        if refused:
            self._fail(HTTPStatus.FORBIDDEN, refused)
        return not refused

    def _may_read(self) -> bool:
        if shows(self.headers.get("Authorization", ""), self.secret):
            return True
        wanted = f"{COOKIE}={derived(self.secret, 'pages')}"
        given = ";".join(self.headers.get_all("Cookie", [])).split(";")
        return any(_equal(cookie.strip(), wanted) for cookie in given)

    def _page(self, title: str, body: str) -> None:
        text = _PAGE.format(title=html.escape(title), body=body)
        self._send(text.encode(), _TYPES[".html"])

    def _send(self, body: bytes, kind: str, status: int = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        # Reports hold texts that a model wrote: whatever slips in may load and send nothing.
        policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        policy += "img-src data:; font-src data:; form-action 'none'; base-uri 'none'; "
        self.send_header("Content-Security-Policy", policy + "frame-ancestors 'none'")
        # A browser asks its person for a password where they went, not where a page sent it.
        mode = self.headers.get("Sec-Fetch-Mode", "navigate")
        if status == HTTPStatus.UNAUTHORIZED and mode == "navigate":
            self.send_header("WWW-Authenticate", 'Basic realm="restem", charset="UTF-8"')
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _fail(self, status: HTTPStatus, text: str) -> None:
        self.close_connection = True
        self._send((text + "\n").encode(), "text/plain; charset=utf-8", status)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; requests are of no interest."""


def add_notice(text: str) -> None:
    """Keep a notice: JSON of an automation, or plain text."""
    path = home() / "prefect" / "notices.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    line = json.dumps({"at": time.time(), "notice": facts if isinstance(facts, dict) else text})
    with _add_lock:
        if path.exists() and path.stat().st_size > _FILE_BYTES:
            path.replace(path.with_suffix(".1.jsonl"))
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def notices() -> list[dict[str, object]]:
    """What was told, newest first: `at` (seconds since 1970) and `notice`."""
    found = []
    with contextlib.suppress(OSError):
        for line in (home() / "prefect" / "notices.jsonl").read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found[::-1]


def _file(parts: list[str]) -> Path | None:
    """The file of `runs/RUN/FILE` or `runs/RUN/logs/FILE`, or None."""
    if parts[0] != "runs" or len(parts) not in (3, 4) or (len(parts) == 4 and parts[2] != "logs"):
        return None
    if not all(_NAME.fullmatch(part) for part in parts):
        return None
    root = (home() / "runs").resolve()
    path = root.joinpath(*parts[1:]).resolve()  # a link may lead elsewhere
    if path.suffix in _TYPES and path.is_relative_to(root) and path.is_file():
        return path
    return None


def _runs() -> str:
    rows = []
    for path in newest_heads()[:_SHOWN]:
        name = path.parent.name
        try:
            head = read_head(path.parent)
        except (OSError, WrongFacts) as error:
            said = str(error).replace(str(path), f"damaged: {HEAD}")
            rows.append([html.escape(name), "", html.escape(said[:300]), "", ""])
            continue
        state = head.state
        if state == "running" and started(head.pid) is None:
            state = "interrupted"
        page = path.parent / "report.html"
        link = f'<a href="/runs/{html.escape(name)}/report.html">report</a>'
        rows.append(
            [
                html.escape(name),
                html.escape(head.flow),
                html.escape(f"{state} {head.error}".strip()[:300]),
                _when(head.started),
                link if page.is_file() else "",
            ]
        )
    return _table(["run", "flow", "state", "started", ""], rows) if rows else "<p>No runs yet.</p>"


def _notices() -> str:
    rows = []
    for one in notices()[:_SHOWN]:
        notice = one.get("notice", "")
        text = notice.get("text", notice) if isinstance(notice, dict) else notice
        link = notice.get("link", "") if isinstance(notice, dict) else ""
        shown = html.escape(text if isinstance(text, str) else json.dumps(text))
        if isinstance(link, str) and link.startswith(("http://", "https://")):
            shown += f' <a href="{html.escape(link)}">open</a>'
        rows.append([_when(one.get("at", 0)), shown])
    return _table(["when", "notice"], rows) if rows else "<p>No notices.</p>"


def _table(titles: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _when(seconds: object) -> str:
    given = seconds if isinstance(seconds, int | float) else 0
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(given))
    except (OverflowError, ValueError, OSError):  # of a damaged file
        return "?"


def _equal(given: str, wanted: str) -> bool:
    """As ==, in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def pages_server(address: str, port: int, secret: str) -> ThreadingHTTPServer:
    """A server that is ready to serve; port 0 is any free one.

    Raises:
        UserError: there is no secret, or a name in RESTEM_HOSTS is none.
    """
    if not secret:
        raise UserError(f"{CLIENT} is not set, and this home has no secret: nobody could read")
    server = ThreadingHTTPServer((address, port), Pages)
    own = host_names(server.server_address[1])
    server.RequestHandlerClass = type("Bound", (Pages,), {"own": own, "secret": secret})
    return server


def main() -> None:
    """`python -m flows.station.web PORT [ADDRESS]`: serve until killed."""
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    try:
        secret = os.environ.get(CLIENT) or read_secret(secret_file())
        pages_server(address, int(sys.argv[1]), secret).serve_forever()
    except UserError as error:
        sys.exit(f"restem: {error}")


if __name__ == "__main__":
    main()
