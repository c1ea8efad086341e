"""Which names a server of ours goes by, so that it answers nobody who reached it by another one.

A browser lets any page send requests to 127.0.0.1, and a page whose own name was made to lead here
(DNS rebinding) may even read the answers. Both tell on themselves: by the Origin header, and by the
Host header. So a request must name this server, and, where a browser says which page sent it, that
page must be this server's own.

The operator lists further names in RESTEM_HOSTS, with commas: `gpu1`, `gpu1:4200`, or an address
such as https://restem.example of a proxy.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.errors import UserError

HOSTS_VARIABLE = "RESTEM_HOSTS"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class HostNames:
    """What the Host and the Origin of a request to one server may be.

    Attributes:
        hosts: Names with their ports, as a browser writes them.
        origins: The same with http:// or https:// before them.
    """

    hosts: frozenset[str]
    origins: frozenset[str]

    def refusal(self, hosts: Sequence[str], origins: Sequence[str] = ()) -> str:
        """Why a request is not answered; empty if it is.

        Args:
            hosts: Its Host headers.
            origins: Its Origin headers, of which a program sends none.
        """
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            known = f"its own are listed in {HOSTS_VARIABLE}"
            return f"this server does not go by that name (Host); {known}"
        if any(origin.lower() not in self.origins for origin in origins):
            return f"a page of another origin may not ask this server; see {HOSTS_VARIABLE}"
        return ""


def host_names(port: int, *also: str) -> HostNames:
    """The names of the server at a port of this machine.

    Args:
        also: Names that it has beside the local ones and those of RESTEM_HOSTS.

    Raises:
        UserError: RESTEM_HOSTS has an entry that is no name.
    """
    hosts = {f"{name}:{port}" for name in _LOCAL} | (set(_LOCAL) if port == 80 else set())
    origins = {f"http://{host}" for host in hosts}
    listed = os.environ.get(HOSTS_VARIABLE, "").replace(",", " ").split()
    for entry in (*also, *listed):
        scheme, _, rest = entry.lower().rpartition("://")
        name = rest.split("/")[0]
        if scheme not in ("", "http", "https") or not name or "*" in name or "@" in name:
            raise UserError(
                f"{HOSTS_VARIABLE}: {entry!r}: expected a name, name:port, or an address"
            )
        found = {name} if _has_port(name) else {name, f"{name}:{port}"}
        hosts |= found
        origins |= {
            f"{s}://{host}" for s in ([scheme] if scheme else ["http", "https"]) for host in found
        }
    return HostNames(frozenset(hosts), frozenset(origins))


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdecimal() and not name.endswith("]")
