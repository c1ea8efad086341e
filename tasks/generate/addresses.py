"""Addresses that a run sends tokens and problems to, and the operator's list of them.

RESTEM_ADDRESSES lists them, with commas. A run that comes through the API may name no others
(flows/orchestrator/allowed_paths.py). A run of the command line may name any, for its user names
them; but where the list is set, no token goes to an address that is not on it.

Addresses are compared as the HTTP client reads them: what it takes for the same host, port and path
is the same, and one that it reads otherwise than a person does (a user before the host) is none.
"""

from __future__ import annotations

import os
import socket

import httpx

from tasks.errors import UserError
from tasks.facts import is_object

FIELD = "resources.endpoints"
# What reading an answer raises that is no JSON, or of another form than the protocol's.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)
ADDRESSES = "RESTEM_ADDRESSES"
_PORTS = {"http": 80, "https": 443}
_HTTP = ("http://", "https://")


def listed_addresses() -> list[str]:
    """The entries of the operator's list, as they were written."""
    return os.environ.get(ADDRESSES, "").replace(",", " ").split()


def is_listed(address: str) -> bool:
    """Whether an address is on the operator's list."""
    asked = same_address(address)
    return bool(asked) and asked in map(same_address, listed_addresses())


def may_have_token(address: str) -> bool:
    """Whether a token may be sent to an address that a run names."""
    return not listed_addresses() or is_listed(address)


def same_address(address: str) -> str:
    """One text for all spellings that a client reads alike; empty for what is no address.

    Args:
        address: Such as http://gpu1:8100, or what Ray takes: host:port, auto.
    """
    if not address.isprintable() or any(mark in address for mark in " \\@?#%"):
        return ""
    if not address.lower().startswith(_HTTP):
        return address.rstrip("/")
    url = parsed(address)
    if url is None:
        return ""
    port = url.port or _PORTS[url.scheme]
    return f"{url.scheme}://{url.host}:{port}{url.path.rstrip('/')}"


def parsed(address: str) -> httpx.URL | None:
    """An HTTP address with a host, as the client reads it; None for another text."""
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError, TypeError):
        return None
    return url if url.scheme in _PORTS and url.host else None


def endpoint(address: str) -> str:
    """An address of `resources.endpoints` without a slash at its end.

    Raises:
        UserError: it is none.
    """
    if parsed(address) is None or not same_address(address):
        raise UserError(
            f"{FIELD}: {address!r:.200}: expected http:// or https://, a host and a port, without "
            "user or query"
        )
    return address.rstrip("/")


def requests_at(address: str, told: object) -> str:
    """Where a server that starts vLLM for us takes requests.

    Args:
        address: Of the server, as the run names it.
        told: What it answers. Only port and path are free: whoever it names is sent the token. A
            host may be the number that the name in `address` stands for.

    Raises:
        UserError: it is another machine, or no address.
    """
    url = told.get("url") if is_object(told) else None
    if not isinstance(url, str) or not _is_beside(address, url):
        raise UserError(
            f"{FIELD}: {address} sends us on to another machine, which gets no token and no "
            f"problem of ours ({told!r:.200})"
        )
    return url


def refusal(address: str, token: str) -> UserError:
    """What to say of a server that misses a token; the list may be why it got none."""
    listed = f", and its address in {ADDRESSES}" if listed_addresses() else ""
    return UserError(f"{FIELD}: {address} refuses us; is {token} set to its token{listed}?")


def _is_beside(address: str, url: str) -> bool:
    ours, theirs = parsed(address), parsed(url) if same_address(url) else None
    if ours is None or theirs is None or theirs.scheme != ours.scheme:
        return False
    return theirs.host == ours.host or theirs.host in _numbers(ours.host)


def _numbers(host: str) -> set[str]:
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return set()
