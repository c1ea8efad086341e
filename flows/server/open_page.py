"""`/open` at the server of the UI: a person opens the UI by a link and types nothing.

The link has the secret after its `#`, which a browser sends to nobody. The page keeps it where
Prefect's UI keeps the password that a person types (localStorage, base64), asks this server for the
cookie of the report pages, and goes on to the UI; the link does not stay in the browser's history.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from flows.server.access import COOKIE, derived, shows

if TYPE_CHECKING:
    from starlette.types import Scope, Send

PATH = "/open"
# Both of Prefect's user interfaces (3.9) read it.
_KEY = "prefect-password"
_SCRIPT = f"""
const key = "{_KEY}";
const given = location.hash.slice(1) || localStorage.getItem(key);
history.replaceState(null, "", location.pathname);
const say = text => {{ document.querySelector("p").textContent = text; }};
if (!given) say("This page needs the whole link: `restem up` prints it.");
else fetch("{PATH}", {{method: "POST", headers: {{Authorization: "Basic " + given}}}}).then(
  reply => {{
    if (!reply.ok) return say("The link is of another station: `restem up` prints the right one.");
    localStorage.setItem(key, given);
    location.replace("/");
  }}, () => say("The server does not answer."));
"""
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>restem</title>'
    f"<p>Opening…</p><script>{_SCRIPT}</script></html>"
)
_POLICY = f"default-src 'none'; script-src 'sha256-{_HASH}'; connect-src 'self'"


async def answer(scope: Scope, send: Send, secret: str, header: str) -> None:
    """Answer a request to the page; `header` is its Authorization."""
    if scope["method"] == "GET":
        headers = [(b"content-security-policy", _POLICY.encode())]
        await reply(send, 200, _PAGE, "text/html; charset=utf-8", headers)
    elif scope["method"] == "POST" and shows(header, secret):
        cookie = f"{COOKIE}={derived(secret, 'pages')}; Path=/; HttpOnly; SameSite=Strict"
        await reply(send, 200, "true", "application/json", [(b"set-cookie", cookie.encode())])
    elif scope["method"] == "POST":
        await reply(send, 401, "expected the secret of this station")
    else:
        await reply(send, 405, "expected GET or POST")


async def reply(
    send: Send,
    status: int,
    text: str,
    kind: str = "text/plain; charset=utf-8",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    """Send a whole answer."""
    body = text.encode()
    head = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        *(headers or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
