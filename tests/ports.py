"""Ports for servers that are told theirs: nobody takes one before its server does."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

_HERE = "127.0.0.1"
# A name of the kernel's, which ends with the process that has it; so none is ever stale.
_NAME = "\0restem-tests-port-{}"
_names: list[socket.socket] = []


def free_port(count: int = 1) -> int:
    """The first of so many free ports in a row, which are this process's until its end.

    Below those that the system gives to connections and to servers of any port: other tests make
    many of both. From other processes of pytest a name keeps them, which each takes first.
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    lowest = int(given.split()[0])
    for first in range(max(1024, lowest - 12_000), lowest - count + 1):
        with contextlib.suppress(OSError):
            _take(range(first, first + count))
            return first
    raise RuntimeError(f"no port below {lowest} is free")


def _take(ports: range) -> None:
    with contextlib.ExitStack() as taken, contextlib.ExitStack() as probes:
        names = [taken.enter_context(socket.socket(socket.AF_UNIX)) for _ in ports]
        for name, port in zip(names, ports, strict=True):
            name.bind(_NAME.format(port))
            probe = probes.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((_HERE, port))
        taken.pop_all()
        _names.extend(names)
