"""The secret of a home's own Prefect server, and what is derived from it.

Whoever has it may do with the server what they like, and so run programs as the user who started
it. It lies in RESTEM_HOME/prefect/secret, readable by that user alone, in the form that Prefect
asks for (`user:password`). It is handed on in the environment, never in a command or a log, and it
is sent to this home's own server only: not to one that PREFECT_API_URL names, and not to whoever
took the port of a server that has ended.

Weaker values are derived: what a browser keeps to read the report pages (cookies of 127.0.0.1
reach every port there, so it must be good for nothing else), what an automation sends along with a
notice, and what opens the page on which a run's pairs are labelled.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from flows.server.address import folder, read_note
from tasks.settings.secret import kept_secret, read_secret, write_secret

API = "PREFECT_API_URL"
CLIENT = "PREFECT_API_AUTH_STRING"
SERVER = "PREFECT_SERVER_API_AUTH_STRING"
COOKIE = "restem_pages"
_LISTENS = "0A"  # as /proc/net/tcp writes that state


def secret_file() -> Path:
    """Where this home's secret lies."""
    return folder() / "secret"


def new_server_secret() -> str:
    """The secret for a server that is about to start: the operator's, else the one of this home.

    The operator's is kept as well, so that commands in other terminals find it.
    """
    given = os.environ.get(SERVER) or (os.environ.get(CLIENT) if not os.environ.get(API) else "")
    if not given:
        return home_secret()
    if given != read_secret(secret_file()):
        write_secret(secret_file(), given)
    return given


def home_secret() -> str:
    """The secret of this home; a first call makes it."""
    return kept_secret(secret_file(), lambda: f"restem:{secrets.token_urlsafe(32)}")


def secret_for(address: str) -> str:
    """What the API at an address asks for; empty where we know of nothing that it should be told.

    Args:
        address: Of the API, such as http://127.0.0.1:4200/api.
    """
    address = address.rstrip("/")
    given = os.environ.get(CLIENT, "")
    if given and address == os.environ.get(API, "").rstrip("/"):
        return given
    note = read_note()
    if note and address == note.address and is_ours(address):
        return read_secret(secret_file())
    return ""


@contextlib.contextmanager
def joined(address: str) -> Iterator[None]:
    """Prefect's clients in this process, and those that it starts, use this home's own server."""
    before = {name: os.environ.get(name) for name in (API, CLIENT)}
    join(address)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def join(address: str) -> None:
    """As `joined`, for good. Call it before Prefect is imported."""
    os.environ[API] = address
    os.environ[CLIENT] = read_secret(secret_file())


def is_ours(address: str) -> bool:
    """Whether who listens at an address of this machine is the user who owns the secret.

    Between a server's end and its next start anybody on the machine may take its port.
    """
    port = urlsplit(address).port
    with contextlib.suppress(OSError):
        owner = secret_file().stat().st_uid
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(FileNotFoundError):
                for line in Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
                    fields = line.split()
                    here = int(fields[1].rpartition(":")[2], 16)
                    if (here, fields[3]) == (port, _LISTENS) and int(fields[7]) != owner:
                        return False
        return True
    return False


def authorization(secret: str) -> dict[str, str]:
    """The header of a request that shows a secret."""
    return {"Authorization": f"Basic {encoded(secret)}"} if secret else {}


def encoded(secret: str) -> str:
    """A secret as HTTP and Prefect's UI write it."""
    return base64.b64encode(secret.encode()).decode()


def shows(header: str, secret: str) -> bool:
    """Whether an Authorization header shows a secret; it is read as Prefect reads it."""
    try:
        scheme, given = header.split()
        shown = base64.b64decode(given)
    except ValueError:
        return False
    return bool(secret) and scheme == "Basic" and hmac.compare_digest(shown, secret.encode())


def derived(secret: str, purpose: str) -> str:
    """A value that is good for one purpose, such as "pages", and does not tell the secret."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def link(address: str) -> str:
    """What opens the UI of this home's API: the secret is in the part that browsers do not send."""
    ui = address.rstrip("/").removesuffix("/api")
    return f"{ui}/open#{encoded(read_secret(secret_file()))}"
