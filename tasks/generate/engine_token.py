"""The token that `restem engine serve` asks for, and where both sides find it.

RESTEM_ENGINE_TOKEN names it on both sides. Without that the server makes one and keeps it in
RESTEM_HOME, where runs of the same home find it; they send it to servers of this machine alone.
Where the operator lists addresses (RESTEM_ADDRESSES), no token goes to any other.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from tasks.dag.runtime import home
from tasks.generate.addresses import may_have_token, parsed
from tasks.settings.secret import kept_secret, read_secret

TOKEN = "RESTEM_ENGINE_TOKEN"
_LOCAL = {"127.0.0.1", "localhost", "::1"}


def token_file() -> Path:
    """Where a made one lies."""
    return home() / "engine-token"


def server_token() -> str:
    """The token of a server that starts; made if there is none."""
    return os.environ.get(TOKEN) or kept_secret(token_file(), lambda: secrets.token_urlsafe(32))


def token_for(address: str) -> str:
    """What a server should be shown; empty where we know of none.

    Args:
        address: Such as http://gpu1:8100.
    """
    url = parsed(address)
    if url is None or not may_have_token(address):
        return ""
    if given := os.environ.get(TOKEN):
        return given
    here = url.host in _LOCAL | {socket.gethostname().lower()}
    return read_secret(token_file()) if here else ""
