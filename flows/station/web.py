"""A small web server for what a browser wants beside Prefect's UI: reports, runs, notices.

    /, /runs                 runs of this home with their state, and their reports
    /runs/RUN                how far a run is; renews itself while the run goes
    /runs/RUN/samples        its samples with their verdicts, by a form
    /runs/RUN/FILE           a file of a run's folder, such as report.html
    /notices                 what the automations told; POST adds one

It reads RESTEM_HOME/runs and the stores of these runs, and writes
RESTEM_HOME/prefect/notices.jsonl, nothing else. A reader has the cookie that the UI's server gives
(flows/server/open_page.py), or the secret by HTTP Basic; an automation has a value of its own.
Whatever address it binds, it answers only requests that name one of its own hosts
(flows/server/hosts.py), so that a page from elsewhere cannot reach it through a browser.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import re
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markupsafe import Markup

from flows.runs.journal import HEAD
from flows.server.access import CLIENT, COOKIE, derived, secret_file, shows
from flows.server.hosts import HostNames, host_names
from flows.server.limited_http import LimitedHandler, LimitedServer
from flows.station.pages.html import Html, render, when
from flows.station.pages.runs import run_page, runs_page
from flows.station.pages.samples import samples_page
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.facts import WrongFacts, is_object
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
_PIECE = 256 * 1024
_SHOWN = 200
_HOW = (
    "These pages are for those who may open this station's UI. Open it once with the link that "
    "`restem up` prints, and come back; or sign in with the user and the password of the UI."
)
_add_lock = threading.Lock()
# Reports hold texts that a model wrote: whatever slips in may load and send nothing.
_FILE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "font-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Pages(LimitedHandler):
    """Answers one request."""

    # Of the server that a handler is made for (`pages_server`).
    own: HostNames
    secret: str

    def do_GET(self) -> None:
        """Give a page or a file."""
        if not self._meant_for_us():
            return
        parts = _parts(self.path)
        if parts != ["health"] and not self._may_read():
            self._fail(HTTPStatus.UNAUTHORIZED, _HOW)
        elif parts == ["health"]:
            self._send(b"true", "application/json")
        elif page := page_of(parts, self.path.partition("?")[2]):
            self._send(page.body, _TYPES[".html"], page.status, page.policy)
        elif file := _file(parts):
            self._send_file(file)
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
        if _parts(self.path) != ["notices"]:
            self._fail(HTTPStatus.NOT_FOUND, "only /notices takes a POST")
            return
        body = self.body(_NOTICE_BYTES)
        if body is None:
            self._fail(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"expected a body of at most {_NOTICE_BYTES} bytes with its length",
            )
            return
        add_notice(body.decode(errors="replace"))
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

    def _send(
        self,
        body: bytes,
        kind: str,
        status: int = HTTPStatus.OK,
        policy: str = _FILE_POLICY,
    ) -> None:
        self._head(len(body), kind, status, policy)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, path: Path) -> None:
        """Give a file piece by piece: the log of an engine may have gigabytes."""
        with path.open("rb") as file:
            left = os.fstat(file.fileno()).st_size
            self._head(left, _TYPES[path.suffix])
            while self.command != "HEAD" and left > 0 and (some := file.read(min(left, _PIECE))):
                self.wfile.write(some)
                left -= len(some)

    def _head(
        self, length: int, kind: str, status: int = HTTPStatus.OK, policy: str = _FILE_POLICY
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Referrer-Policy", "no-referrer")
        # A browser asks its person for a password where they went, not where a page sent it.
        mode = self.headers.get("Sec-Fetch-Mode", "navigate")
        if status == HTTPStatus.UNAUTHORIZED and mode == "navigate":
            self.send_header("WWW-Authenticate", 'Basic realm="restem", charset="UTF-8"')
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def _fail(self, status: HTTPStatus, text: str) -> None:
        self._send((text + "\n").encode(), "text/plain; charset=utf-8", status)


def add_notice(text: str) -> None:
    """Keep a notice: JSON of an automation, or plain text."""
    path = home() / "prefect" / "notices.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
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
        text = (home() / "prefect" / "notices.jsonl").read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                if is_object(one := json.loads(line)):
                    found.append(one)
    return found[::-1]


def _parts(path: str) -> list[str]:
    """Parts of a request's path; of one that is no path, a name that no page has."""
    try:
        return [unquote(part) for part in urlsplit(path).path.split("/") if part]
    except ValueError:
        return [path]


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


def page_of(parts: list[str], query: str) -> Html | None:
    """The page of a request's path, or None."""
    if parts in ([], ["runs"]):
        return runs_page()
    if parts == ["notices"]:
        rows = [[when(one.get("at", 0)), *_told(one)] for one in notices()[:_SHOWN]]
        head = ["when", "notice", "link"]
        return render("runs.html.j2", title="Notices", head=head, rows=rows, nothing="No notices.")
    folder = _run(parts)
    if folder is None:
        return None
    try:
        if len(parts) == 2:
            return run_page(folder)
        return samples_page(folder, query) if parts[2:] == ["samples"] else None
    except (OSError, WrongFacts) as error:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return render("runs.html.j2", status, title=folder.name, rows=[], nothing=str(error))


def _run(parts: list[str]) -> Path | None:
    """The folder of the run of `runs/RUN/...`, or None."""
    if parts[0] != "runs" or not _NAME.fullmatch(parts[1]):
        return None
    root = (home() / "runs").resolve()
    folder = (root / parts[1]).resolve()
    return folder if folder.parent == root and (folder / HEAD).is_file() else None


def _told(one: dict[str, object]) -> list[str]:
    """Text and link of a notice."""
    notice = one.get("notice", "")
    text = notice.get("text", notice) if is_object(notice) else notice
    link = notice.get("link", "") if is_object(notice) else ""
    shown = text if isinstance(text, str) else json.dumps(text)
    is_link = isinstance(link, str) and link.startswith(("http://", "https://"))
    return [shown, Markup('<a href="{}">open</a>').format(link) if is_link else ""]


def _equal(given: str, wanted: str) -> bool:
    """As ==, in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def pages_server(address: str, port: int, secret: str) -> LimitedServer:
    """A server that is ready to serve; port 0 is any free one.

    Raises:
        UserError: there is no secret, or a name in RESTEM_HOSTS is none.
    """
    if not secret:
        raise UserError(f"{CLIENT} is not set, and this home has no secret: nobody could read")
    server = LimitedServer((address, port), Pages)
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
