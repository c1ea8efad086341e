"""The local server of the page on which a person labels pairs.

    GET  /        the page, which has nothing in it that is of the run
    GET  /state   the next pair, and how far the person is
    POST /label   {"pair": ID, "says": "left", "right", "tie" or "skip"}
    POST /undo    {"pair": ID}

The last three need the token that stands in the link behind `#`, which a browser sends to nobody;
the page hands it on in a header, so no page from elsewhere can, and there is no cookie. As every
server of ours it answers only requests that name it (flows/server/hosts.py), and a POST has to be
JSON. A label is on the disk before it is answered, and the same one twice is one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from flows.audit.label.session import Says, Session, UnknownPair
from flows.server.hosts import HostNames, host_names
from flows.server.limited_http import LimitedHandler, LimitedServer
from tasks.errors import UserError
from tasks.facts import is_object
from tasks.system_error import system_error

_ASSETS = Path(__file__).resolve().parent / "assets"
_BODY_BYTES = 4096
_HTML, _JSON, _TEXT = "text/html", "application/json", "text/plain"


class LabelPages(LimitedHandler):
    """Answers one request."""

    # Of the server that a handler is made for (`label_server`).
    own: HostNames
    token: str
    session: Session
    page: tuple[bytes, str]

    def do_GET(self) -> None:
        """Give the page, or what it shows."""
        if not self._meant_for_us():
            return
        path = urlsplit(self.path).path
        if path == "/":
            self._reply(HTTPStatus.OK, self.page[0], _HTML)
        elif path != "/state":
            self._say(HTTPStatus.NOT_FOUND, "no such page")
        elif self._known():
            self._state()

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Take a label, or one back."""
        if not (self._meant_for_us() and self._known()):
            return
        path = urlsplit(self.path).path
        if self.headers.get_content_type() != _JSON:
            self._say(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected {_JSON}")
            return
        body = self.body(_BODY_BYTES)
        if body is None:
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {_BODY_BYTES} bytes")
            return
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            asked = None
        pair = asked.get("pair") if is_object(asked) else None
        says = asked.get("says") if is_object(asked) else None
        if path not in ("/label", "/undo"):
            self._say(HTTPStatus.NOT_FOUND, "no such page")
        elif not isinstance(pair, str) or (path == "/label" and says not in list(Says)):
            self._say(HTTPStatus.BAD_REQUEST, f"expected pair, and says: {', '.join(Says)}")
        else:
            self._keep(pair, Says(says) if path == "/label" else None)

    def _keep(self, pair: str, says: Says | None) -> None:
        try:
            if says is None:
                self.session.undo(pair)
            else:
                self.session.say(pair, says)
        except UnknownPair:
            self._say(HTTPStatus.NOT_FOUND, "this run has no such pair; load the page again")
        except UserError as error:
            self._say(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            self._say(HTTPStatus.INSUFFICIENT_STORAGE, system_error(error, []) or str(error))
        else:
            self._state()

    def _state(self) -> None:
        try:
            found = self.session.state().to_json()
        except UserError as error:  # somebody wrote into the file meanwhile
            self._say(HTTPStatus.CONFLICT, str(error))
            return
        self._reply(HTTPStatus.OK, json.dumps(found).encode(), _JSON)

    def _meant_for_us(self) -> bool:
        origins = self.headers.get_all("Origin", [])
        refused = self.own.refusal(self.headers.get_all("Host", []), origins)
        if refused:
            self._say(HTTPStatus.FORBIDDEN, refused)
        return not refused

    def _known(self) -> bool:
        given = self.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        known = hmac.compare_digest(given, f"Bearer {self.token}".encode())
        if not known:
            self._say(HTTPStatus.UNAUTHORIZED, "open the link that `restem label` printed")
        return known

    def _say(self, status: HTTPStatus, text: str) -> None:
        self._reply(status, f"{text}\n".encode(errors="backslashreplace"), _TEXT)

    def _reply(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.page[1])
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def page_and_policy() -> tuple[bytes, str]:
    """The page, and what it may do: run its own script and ask its own server."""
    parts = {name: (_ASSETS / name).read_text("utf-8") for name in ("style.css", "label.js")}
    page = (_ASSETS / "page.html").read_text("utf-8")
    page = page.replace("/*STYLE*/", parts["style.css"]).replace("/*SCRIPT*/", parts["label.js"])
    policy = (
        f"default-src 'none'; style-src {_hash(parts['style.css'])}; img-src data:; "
        f"script-src {_hash(parts['label.js'])}; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return page.encode(), policy


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def label_server(port: int, token: str, session: Session) -> LimitedServer:
    """A server of this machine that is ready to serve; port 0 is any free one.

    Raises:
        UserError: the port is taken, or a name in RESTEM_HOSTS is none.
    """
    try:
        server = LimitedServer(("127.0.0.1", port), LabelPages)
    except OSError as error:
        raise UserError(
            f"--port {port}: {error.strerror}; expected a port that is free (0: any)"
        ) from None
    bound = {
        "own": host_names(server.server_address[1]),
        "token": token,
        "session": session,
        "page": page_and_policy(),
    }
    server.RequestHandlerClass = type("Bound", (LabelPages,), bound)
    return server
